"""The tables of first weights on FracAtlas, from scores that the test makes."""

import numpy as np
import pytest

from elbow_core.dataset import write_manifest
from elbow_core.errors import UserError
from elbow_core.evaluation import write_predictions
from elbow_core.evaluation.statistics import auroc
from elbow_core.evaluation.statistics.differences import delong
from scripts.fracatlas_folds import (
    MEAN,
    NETWORKS,
    WEIGHTS,
    gather,
    main,
    read_scores,
    tables,
    write_scores,
)
from tests.support.scores import predictions_of, simulated_scores
from tests.support.tiny_images import row

IMAGES = 60
PARTS = ("hand", "shoulder", "hand+shoulder")


@pytest.fixture
def runs(tmp_path):
    """Runs with scores of 60 images, of which every third shows a hand alone."""
    labels, base = simulated_scores(0, IMAGES)
    names = [f"i{number:02d}.jpg" for number in range(IMAGES)]
    noise = np.random.default_rng(1)
    for network in NETWORKS:
        for weights in WEIGHTS:
            scores = np.clip(base + noise.normal(0, 0.2, IMAGES), 0, 1)
            folder = tmp_path / f"{network}_{weights}"
            folder.mkdir()
            write_predictions(
                folder / "predictions_out_of_fold.csv",
                predictions_of(names, names, names, labels, scores),
            )
    rows = [
        row(name, path=name, label=int(label), body_part=PARTS[number % 3])
        for number, (name, label) in enumerate(zip(names, labels, strict=True))
    ]
    write_manifest(tmp_path / "manifest.csv", rows)
    return tmp_path


def test_areas_and_differences_are_those_within_the_part(runs):
    found = gather(runs, runs / "manifest.csv")
    hand = np.arange(IMAGES) % 3 == 0
    assert (found.body_part == "hand").tolist() == hand.tolist()
    labels = found.labels[hand]
    means = {
        weights: np.mean([found.scores[network, weights][hand] for network in NETWORKS], axis=0)
        for weights in WEIGHTS
    }
    lines = tables(found).splitlines()
    assert lines[0].startswith(f"| hand: 20 images, {labels.sum()} fractured |")
    cells = next(line for line in lines if line.startswith(f"| {MEAN} |")).split(" | ")
    assert cells[2].startswith(f"{auroc(labels, means['synthetic']):.3f} (")
    expected = delong(labels, means["synthetic"], means["random"], np.arange(20))
    assert cells[4] == f"{expected.estimate:+.3f} ({expected.p:.3f})"
    assert any(line.startswith("| shoulder: 40 images") for line in lines)


def test_written_scores_give_the_same_tables(runs, tmp_path, capsys):
    found = gather(runs, runs / "manifest.csv")
    write_scores(tmp_path / "scores.csv", found)
    again = read_scores(tmp_path / "scores.csv")
    assert again.image_id == found.image_id
    assert again.scores["convnext", "random"] == pytest.approx(
        found.scores["convnext", "random"], abs=5e-7
    )
    assert main(["--from", str(tmp_path / "scores.csv")]) == 0
    assert capsys.readouterr().out.strip() == tables(again)


def test_scores_of_other_images_and_other_tables_are_refused(runs):
    with pytest.raises(UserError, match="the columns must be image_id, body_part, label"):
        read_scores(runs / "manifest.csv")
    write_manifest(runs / "manifest.csv", [row("another")])
    with pytest.raises(UserError, match="is not of the images of"):
        gather(runs, runs / "manifest.csv")
