"""What first weights are worth on FracAtlas: out-of-fold areas under the curve, by body part.

    scripts/fracatlas_folds.sh DATA          # trains all folds, and ends with this command
    python -m scripts.fracatlas_folds

Reads the out-of-fold predictions of each network and kind of first weights below runs/fracatlas.
Writes docs/performance/measurements/fracatlas_folds.csv, a row an image with every score, and
prints tables in Markdown. With --from FILE they are made from that file, and nothing is written.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core.cli import run
from elbow_core.dataset import read_manifest
from elbow_core.errors import UserError
from elbow_core.evaluation import read_predictions
from elbow_core.evaluation.statistics import auroc
from elbow_core.evaluation.statistics.differences import area_interval, delong
from elbow_core.tables import parse_number, read_csv_table, write_csv_table

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "runs/fracatlas"
MANIFEST = ROOT / "data/fracatlas/prepared_192/manifest.csv"
SCORES = ROOT / "docs/performance/measurements/fracatlas_folds.csv"

NETWORKS = ("mobilenet", "efficientnet", "convnext")
MEAN = "mean of the three"
WEIGHTS = ("random", "synthetic", "lower_limb")
SHOWN = {"random": "random", "synthetic": "shipped", "lower_limb": "shipped, then lower limbs"}
PARTS = ("hand", "shoulder")
_FACTS = ("image_id", "body_part", "label")


@dataclass(frozen=True, eq=False)
class FoldScores:
    """Out-of-fold scores of the same images by network and first weights."""

    image_id: list[str]
    body_part: np.ndarray
    """``hand`` or, for images that show a shoulder, whatever else they show, ``shoulder``."""
    labels: np.ndarray
    scores: Mapping[tuple[str, str], np.ndarray]
    """By network, with the plain mean of all as `MEAN`, and first weights."""


def gather(runs: Path, manifest: Path) -> FoldScores:
    """Read the out-of-fold predictions of all runs; raises `UserError` for a missing one."""
    rows = {row.image_id: row for row in read_manifest(manifest)}
    names = sorted(rows)
    scores = {}
    for weights in WEIGHTS:
        for network in NETWORKS:
            path = runs / f"{network}_{weights}" / "predictions_out_of_fold.csv"
            found = read_predictions(path)
            if found.image_id.tolist() != names:
                raise UserError(f"{path}: is not of the images of {manifest}, sorted by name")
            scores[network, weights] = found.score
    parts = ["shoulder" if "shoulder" in rows[name].body_part else "hand" for name in names]
    labels = np.array([rows[name].label for name in names], np.int64)
    return FoldScores(names, np.array(parts), labels, _with_means(scores))


def read_scores(path: Path) -> FoldScores:
    """Read the scores that `write_scores` wrote; raises `UserError` for any other file."""
    columns = [f"{network} {weights}" for weights in WEIGHTS for network in NETWORKS]
    table = read_csv_table(path)
    if table.columns != (*_FACTS, *columns):
        raise UserError(f"{table.place()}: the columns must be {', '.join((*_FACTS, *columns))}")
    values = {}
    for column in columns:
        network, weights = column.split(" ")
        values[network, weights] = np.array(
            [parse_number(row.cells[column], 0, 1) for row in table.rows]
        )
    return FoldScores(
        [row.cells["image_id"] for row in table.rows],
        np.array([row.cells["body_part"] for row in table.rows]),
        np.array([int(row.cells["label"]) for row in table.rows], np.int64),
        _with_means(values),
    )


def write_scores(path: Path, found: FoldScores) -> None:
    """Write one row an image; scores have six decimals."""
    pairs = [(network, weights) for weights in WEIGHTS for network in NETWORKS]
    rows = (
        (
            *(found.image_id[row], str(found.body_part[row]), int(found.labels[row])),
            *(f"{found.scores[pair][row]:.6f}" for pair in pairs),
        )
        for row in range(len(found.labels))
    )
    write_csv_table(path, (*_FACTS, *(" ".join(pair) for pair in pairs)), rows)


def tables(found: FoldScores) -> str:
    """Return areas with DeLong's intervals, and paired differences between first weights."""
    models = (*NETWORKS, MEAN)
    lines = []
    for part in PARTS:
        of = found.body_part == part
        labels, images = found.labels[of], np.arange(np.count_nonzero(of))
        lines += [
            f"| {part}: {len(labels)} images, {labels.sum()} fractured | "
            + " | ".join(SHOWN[weights] for weights in WEIGHTS)
            + " | shipped - random (p) | lower limbs - shipped (p) |",
            "|---|---|---|---|---|---|",
        ]
        for model in models:
            scores = {weights: found.scores[model, weights][of] for weights in WEIGHTS}
            cells = [model]
            for values in scores.values():
                low, high = area_interval(labels, values, images)
                cells.append(f"{auroc(labels, values):.3f} ({low:.3f} to {high:.3f})")
            for first, second in (("synthetic", "random"), ("lower_limb", "synthetic")):
                difference = delong(labels, scores[first], scores[second], images)
                shown = f"{difference.p:.3f}" if difference.p >= 0.001 else "< 0.001"
                cells.append(f"{difference.estimate:+.3f} ({shown})")
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def main(arguments: Sequence[str]) -> int:
    """Gather the scores, unless a file of them is given, and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.fracatlas_folds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--from", dest="file", type=Path, help="scores that are at hand")
    options = parser.parse_args(arguments)
    if options.file is None:
        found = gather(RUNS, MANIFEST)
        write_scores(SCORES, found)
    else:
        found = read_scores(options.file)
    print(tables(found))
    return 0


def _with_means(scores: Mapping[tuple[str, str], np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    means = {
        (MEAN, weights): np.mean([scores[network, weights] for network in NETWORKS], axis=0)
        for weights in WEIGHTS
    }
    return {**scores, **means}


if __name__ == "__main__":
    run(main)
