import csv
from pathlib import Path

import numpy as np
import pytest

from elbow_core.config import load_config
from elbow_core.dataset import NOTHING_SEEN
from elbow_core.dataset.near_duplicates import HASHES_FILE
from elbow_core.dataset.prepared import open_prepared
from elbow_jax.config import TrainConfig
from elbow_jax.training import create_run
from elbow_jax.training.initial.leakage import find_leaked_near_duplicates, refuse_leakage
from elbow_jax.training.stage import record_near_duplicates
from tests.support.small_data import SPLITS, write_prepared
from tests.support.training import write_config

TRAIN, VALIDATION = 0, SPLITS["train"]
TEST = SPLITS["train"] + SPLITS["validation"]


def write_set(folder: Path, seed: int, init: object = None) -> np.ndarray:
    """A prepared set with random hashes, and a run on it; returns the hashes."""
    write_prepared(folder / "data", seed=seed)
    hashes = np.random.default_rng(seed).integers(0, 256, (sum(SPLITS.values()), 32), np.uint8)
    np.save(folder / "data" / HASHES_FILE, hashes)
    config = load_config(TrainConfig, write_config(folder, init=init))
    create_run(config, open_prepared(config.data.prepared), NOTHING_SEEN)
    return hashes


@pytest.fixture
def sets(tmp_path):
    """Three sets: the second one's run starts from the first's."""
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        folder.mkdir()
    hashes = [
        write_set(folders[0], 1),
        write_set(folders[1], 2, init=str(folders[0] / "run")),
        write_set(folders[2], 3),
    ]
    return folders, hashes


def find(folders, hashes):
    """Save the third set's changed hashes; return its leaked near-duplicates."""
    np.save(folders[2] / "data" / HASHES_FILE, hashes[2])
    data = open_prepared(folders[2] / "data")
    return find_leaked_near_duplicates(str(folders[1] / "run"), data)


def test_sets_without_common_images_have_no_near_duplicates(sets):
    assert len(find(*sets).pairs) == 0


def test_training_images_of_any_earlier_run_are_found_in_held_out_sets(sets):
    folders, hashes = sets
    hashes[2][TEST + 1] = hashes[0][TRAIN + 3]
    hashes[2][VALIDATION] = hashes[1][TRAIN + 5]
    hashes[2][VALIDATION, 0] ^= 0b111
    leaked = find(folders, hashes)
    names = [
        (leaked.rows[first].image_id, leaked.rows[second].image_id, bits)
        for first, second, bits in leaked.pairs.tolist()
    ]
    assert sorted(names) == [("test_01", "train_03", 0), ("validation_00", "train_05", 3)]


@pytest.mark.parametrize(
    ("first", "second", "leaks"),
    [
        (TRAIN, TRAIN, False),
        (TRAIN, TEST, False),
        (VALIDATION, VALIDATION, False),
        (VALIDATION, TEST, False),
        (TEST, TEST, False),
        (TEST, VALIDATION, True),
        (TEST, TRAIN, True),
        (VALIDATION, TRAIN, True),
    ],
)
def test_training_leaks_into_validation_and_test_and_validation_into_test(
    sets, first, second, leaks
):
    folders, hashes = sets
    hashes[2][first] = hashes[1][second]
    assert len(find(folders, hashes).pairs) == leaks


def test_pairs_within_the_same_set_are_left_to_prepare(sets):
    folders, hashes = sets
    hashes[1][TEST] = hashes[1][TRAIN]
    np.save(folders[1] / "data" / HASHES_FILE, hashes[1])
    data = open_prepared(folders[1] / "data")
    init = {"convnext_tiny": str(folders[1] / "run"), "efficientnetv2_s": str(folders[0] / "run")}
    assert len(find_leaked_near_duplicates(init, data).pairs) == 0


def test_missing_images_of_an_earlier_run_are_reported_and_not_checked(sets, capsys):
    folders, hashes = sets
    hashes[2][TEST] = hashes[0][TRAIN]
    (folders[0] / "data").rename(folders[0] / "elsewhere")
    assert len(find(folders, hashes).pairs) == 0
    data = open_prepared(folders[2] / "data")
    refuse_leakage(str(folders[1] / "run"), data)
    assert "were not compared" in capsys.readouterr().err


def test_run_directory_lists_the_pairs(sets, capsys):
    folders, hashes = sets
    hashes[2][TEST + 1] = hashes[0][TRAIN + 3]
    np.save(folders[2] / "data" / HASHES_FILE, hashes[2])
    config = load_config(
        TrainConfig,
        write_config(folders[2], init=str(folders[1] / "run"), run=str(folders[2] / "listed")),
    )
    data = open_prepared(config.data.prepared)
    run = create_run(config, data, NOTHING_SEEN)
    record_near_duplicates(config, data, run)
    assert capsys.readouterr().out.startswith(
        "1 images of the validation or test set are near-duplicates of images that trained"
    )
    with run.near_duplicates.open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["image_id"], line["other_id"], line["bits"]) == ("test_01", "train_03", "0")
    assert (line["split"], line["other_split"]) == ("test", "train")
