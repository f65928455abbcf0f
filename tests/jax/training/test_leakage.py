import csv
from pathlib import Path

import numpy as np
import pytest

from elbow_core.config import load_config
from elbow_core.dataset.near_duplicates import HASHES
from elbow_core.dataset.prepared import open_prepared
from elbow_jax.config import TrainConfig
from elbow_jax.train import _list_lookalikes
from elbow_jax.training.leakage import find_lookalikes, refuse_seen_images
from elbow_jax.training.run_directory import create_run
from tests.support.small_data import SPLITS, write_prepared
from tests.support.training import write_config

TRAIN, VALIDATION = 0, SPLITS["train"]
TEST = SPLITS["train"] + SPLITS["validation"]


def write_set(folder: Path, seed: int, init: object = None) -> np.ndarray:
    """A prepared set with random hashes, and a run on it; returns the hashes."""
    write_prepared(folder / "data", seed=seed)
    hashes = np.random.default_rng(seed).integers(0, 256, (sum(SPLITS.values()), 32), np.uint8)
    np.save(folder / "data" / HASHES, hashes)
    config = load_config(TrainConfig, write_config(folder, init=init))
    create_run(config, open_prepared(config.data.prepared))
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


def found(folders, hashes):
    """What the third set finds after its hashes were changed in place."""
    np.save(folders[2] / "data" / HASHES, hashes[2])
    data = open_prepared(folders[2] / "data")
    return find_lookalikes(str(folders[1] / "run"), data)


def test_sets_without_a_common_picture_have_no_lookalikes(sets):
    assert len(found(*sets).pairs) == 0


def test_what_taught_any_earlier_run_is_found_among_what_judges(sets):
    folders, hashes = sets
    hashes[2][TEST + 1] = hashes[0][TRAIN + 3]
    hashes[2][VALIDATION] = hashes[1][TRAIN + 5]
    hashes[2][VALIDATION, 0] ^= 0b111
    alike = found(folders, hashes)
    names = [
        (alike.rows[judge].image_id, alike.rows[taught].image_id, bits)
        for judge, taught, bits in alike.pairs.tolist()
    ]
    assert sorted(names) == [("test_01", "train_03", 0), ("validation_00", "train_05", 3)]


@pytest.mark.parametrize(
    ("ours", "theirs", "counts"),
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
def test_only_what_taught_or_chose_counts_and_only_among_what_judges(sets, ours, theirs, counts):
    folders, hashes = sets
    hashes[2][ours] = hashes[1][theirs]
    assert len(found(folders, hashes).pairs) == counts


def test_a_stage_on_the_same_set_leaves_its_pairs_to_prepare(sets):
    folders, hashes = sets
    hashes[1][TEST] = hashes[1][TRAIN]
    np.save(folders[1] / "data" / HASHES, hashes[1])
    data = open_prepared(folders[1] / "data")
    init = {"convnext_tiny": str(folders[1] / "run"), "efficientnetv2_s": str(folders[0] / "run")}
    assert len(find_lookalikes(init, data).pairs) == 0


def test_images_that_are_gone_are_said_and_not_checked(sets, capsys):
    folders, hashes = sets
    hashes[2][TEST] = hashes[0][TRAIN]
    (folders[0] / "data").rename(folders[0] / "elsewhere")
    assert len(found(folders, hashes).pairs) == 0
    data = open_prepared(folders[2] / "data")
    refuse_seen_images(str(folders[1] / "run"), data)
    assert "could not be compared" in capsys.readouterr().err


def test_run_lists_the_pairs_in_its_directory(sets, capsys):
    folders, hashes = sets
    hashes[2][TEST + 1] = hashes[0][TRAIN + 3]
    np.save(folders[2] / "data" / HASHES, hashes[2])
    config = load_config(
        TrainConfig,
        write_config(folders[2], init=str(folders[1] / "run"), run=str(folders[2] / "listed")),
    )
    data = open_prepared(config.data.prepared)
    run = create_run(config, data)
    _list_lookalikes(config, data, run)
    assert capsys.readouterr().out.startswith("1 images of the validation or test set look like")
    with run.near_duplicates.open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["image_id"], line["other_id"], line["bits"]) == ("test_01", "train_03", "0")
    assert (line["split"], line["other_split"]) == ("test", "train")
