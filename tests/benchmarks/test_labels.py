"""The benchmark of the label audit: its flips, its counts, its configurations."""

import numpy as np

from benchmarks.labels.measurement import (
    COMMAND,
    SHARES,
    describe,
    found_in_first,
    measure_ranking,
    write_flips,
)
from elbow_core.config import load_config
from elbow_core.dataset import read_manifest
from elbow_core.evaluation import predictions_of_rows, write_predictions
from elbow_core.prepare import DataConfig, prepare
from elbow_jax.config import TrainConfig
from tests.support.paths import ROOT
from tests.support.prepare_folders import write_images


def test_flips_are_a_share_of_the_labels_and_are_applied_by_prepare(tmp_path):
    config = write_images(tmp_path)
    prepare(config)
    flips = tmp_path / "flips.csv"
    flipped = write_flips(config.out, flips, 0.25, 0)
    assert len(flipped) == 12
    assert flipped == write_flips(config.out, flips, 0.25, 0)
    assert flipped != write_flips(config.out, tmp_path / "other.csv", 0.25, 1)
    out = tmp_path / "flipped"
    prepare(config.model_copy(update={"out": out, "corrections": flips}))
    before = {row.image_id: row.label for row in read_manifest(config.out / "manifest.csv")}
    after = {row.image_id: row.label for row in read_manifest(out / "manifest.csv")}
    assert {image for image in before if before[image] != after[image]} == flipped


def test_share_found_is_that_of_the_first_part_of_the_ranking():
    quality = np.arange(40, dtype=float)[::-1]
    wrong = np.zeros(40, bool)
    wrong[[39, 37, 30, 0]] = True
    assert [found_in_first(quality, wrong, share) for share in (0.05, 0.1, 0.25, 1.0)] == [
        1,
        2,
        3,
        4,
    ]


def test_perfect_scores_put_every_flip_first_and_the_table_sums_the_seeds(tmp_path):
    config = write_images(tmp_path)
    prepare(config)
    rows = read_manifest(config.out / "manifest.csv")
    flipped = frozenset(row.image_id for row in rows[:4])
    score = np.array([row.label != (row.image_id in flipped) for row in rows]) * 0.98 + 0.01
    calls = (score >= 0.5).astype(np.int64)
    write_predictions(tmp_path / "scores.csv", predictions_of_rows(rows, score, calls, "m"))
    found = measure_ranking(0, tmp_path / "scores.csv", flipped)
    assert (found["images"], found["flipped"], found["auroc_true"]) == (48, 4, 1.0)
    assert found["found"][COMMAND] == dict(zip(map(str, SHARES), (2, 4, 4), strict=True))
    header, _, one, other, total = describe([found, found | {"seed": 1}]).splitlines()
    assert header.count("first") == 2 * len(SHARES)
    assert one.split("|")[1:4] == [" 0 ", " 48 ", " 4 "]
    assert other.startswith("| 1 |")
    assert total.startswith("| all | 96 | 8 |")
    assert "100% (68% to 100%)" in total


def test_configurations_load_and_begin_from_the_shipped_weights():
    data = load_config(DataConfig, ROOT / "configs/labels/data.yaml")
    train = load_config(TrainConfig, ROOT / "configs/labels/train.yaml")
    assert data.preprocess.size == 96
    assert train.init == "synthetic/mobilenetv3_large_small"
