"""Compare two recipes by the folds of their cross-validations.

    python -m elbow_core.evaluation.folds RUN RUN        # two runs of elbow_jax.crossval
    python -m elbow_core.evaluation.folds FOLDS.csv FOLDS.csv

Both must have dealt the same images to the same folds. Prints each metric's mean and standard
deviation over the folds, and the difference with the corrected resampled t-test.
"""

import argparse
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core.cli import run
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import (
    Difference,
    binary_metrics,
    corrected_resampled_t,
)
from elbow_core.files import require_output_file
from elbow_core.tables import (
    CsvTable,
    parse_number,
    parse_whole_number,
    read_csv_table,
    write_csv_table,
)

FOLDS_FILE = "folds.csv"
METRICS = ("auroc", "accuracy", "sensitivity", "specificity")
_COUNTS = ("repeat", "fold", "train", "images", "injured")
_COLUMNS = (*_COUNTS, "test_set", *METRICS)
_UNDEFINED = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """The test set of one fold and the metrics there, at the default threshold."""

    repeat: int
    """From 1: cross-validations with other dealings."""
    number: int
    """From 1."""
    train: int
    """Images that the network learnt from."""
    images: int
    injured: int
    test_set: str
    """First 16 hexadecimal digits of the SHA-256 of the images' ids, sorted, a line each."""
    metrics: dict[str, float]
    """Of `METRICS`; nan where a metric is undefined."""


def measure_fold(repeat: int, number: int, train: int, predictions: Predictions) -> Fold:
    """Return the metrics of one fold's predictions of its test set."""
    ids = "".join(f"{name}\n" for name in sorted(predictions.image_id.tolist()))
    found = binary_metrics(predictions.label, predictions.score)
    return Fold(
        repeat,
        number,
        train,
        len(predictions),
        int(predictions.label.sum()),
        hashlib.sha256(ids.encode()).hexdigest()[:16],
        {name: found[name] for name in METRICS},
    )


def require_folds_file(path: Path) -> None:
    """Check, before the folds are trained, that their table can be written; raises `UserError`."""
    require_output_file(path, mark=",".join(_COLUMNS), regular=True)


def write_folds(path: Path, folds: Sequence[Fold]) -> None:
    """Write one row a fold; metrics have six decimals."""
    rows = [
        (
            *(fold.repeat, fold.number, fold.train, fold.images, fold.injured, fold.test_set),
            *(_UNDEFINED if math.isnan(value) else f"{value:.6f}" for value in _values(fold)),
        )
        for fold in folds
    ]
    write_csv_table(path, _COLUMNS, rows)


def read_folds(path: Path) -> list[Fold]:
    """Read the folds of a cross-validation; a folder stands for the file in it.

    Raises `PredictionsError` with file and line, also for a fold that is listed twice.
    """
    if path.is_dir():
        path = path / FOLDS_FILE
    table = read_csv_table(path, PredictionsError, _check_columns)
    if not table.rows:
        raise PredictionsError(f"{path}: no fold below the header")
    folds = [_parse(table, index) for index in range(len(table.rows))]
    seen: set[tuple[int, int]] = set()
    for fold, row in zip(folds, table.rows, strict=True):
        if (fold.repeat, fold.number) in seen:
            raise PredictionsError(
                f"{table.place(row)}: fold {fold.number} of repeat {fold.repeat} is listed twice"
            )
        seen.add((fold.repeat, fold.number))
    return folds


def spread(folds: Sequence[Fold], metric: str) -> tuple[float, float]:
    """Return a metric's mean and standard deviation over the folds; nan where it is undefined.

    The deviation describes the folds. It is no standard error: the folds share training data.
    """
    values = np.array([fold.metrics[metric] for fold in folds])
    return float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else math.nan


def compare_folds(first: Sequence[Fold], second: Sequence[Fold]) -> dict[str, Difference]:
    """Return each metric's difference, first minus second, by `corrected_resampled_t`.

    Raises `PredictionsError` unless both have the same folds of the same images.
    """
    pairs = {(fold.repeat, fold.number): fold for fold in second}
    keys = {(fold.repeat, fold.number) for fold in first}
    if keys != pairs.keys():
        raise PredictionsError(
            f"{len(first)} folds in {_repeats(first)} repeats and {len(second)} in "
            f"{_repeats(second)}; the same folds are needed"
        )
    for fold in first:
        other = pairs[fold.repeat, fold.number]
        if (fold.test_set, fold.train) != (other.test_set, other.train):
            raise PredictionsError(
                f"fold {fold.number} of repeat {fold.repeat} has other images in the two runs; "
                "deal both with the same --fold-seed from the same prepared data"
            )
    ratio = float(
        np.mean([fold.images for fold in first]) / np.mean([fold.train for fold in first])
    )
    return {
        metric: corrected_resampled_t(
            np.array(
                [
                    fold.metrics[metric] - pairs[fold.repeat, fold.number].metrics[metric]
                    for fold in first
                ]
            ),
            ratio,
        )
        for metric in METRICS
    }


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.folds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("first", type=Path, metavar="RUN")
    parser.add_argument("second", type=Path, metavar="RUN")
    options = parser.parse_args(arguments)
    first, second = read_folds(options.first), read_folds(options.second)
    differences = compare_folds(first, second)
    print(f"{len(first)} folds, {_repeats(first)} repeats; mean (standard deviation over folds)")
    for metric, difference in differences.items():
        ours, theirs = (
            f"{mean:.3f} ({deviation:.3f})"
            for mean, deviation in (spread(first, metric), spread(second, metric))
        )
        shown = (
            f"{difference.low:+.3f} to {difference.high:+.3f}, p = {difference.p:.3g}"
            if not difference.reason
            else difference.reason
        )
        print(f"{metric}: {ours} and {theirs}; difference {difference.estimate:+.3f}, {shown}")
    print("Differences by the corrected resampled t-test (Nadeau and Bengio 2003), 95 % intervals.")
    return 0


def _values(fold: Fold) -> list[float]:
    return [fold.metrics[name] for name in METRICS]


def _repeats(folds: Sequence[Fold]) -> int:
    return len({fold.repeat for fold in folds})


def _check_columns(columns: tuple[str, ...], place: str) -> None:
    if columns != _COLUMNS:
        raise PredictionsError(f"{place}: the columns must be {','.join(_COLUMNS)}")


def _parse(table: CsvTable, index: int) -> Fold:
    row = table.rows[index]
    try:
        repeat, number, train, images, injured = (
            parse_whole_number(row.cells[name]) for name in _COUNTS
        )
        metrics = {
            name: parse_number(row.cells[name], 0, 1) if row.cells[name] else math.nan
            for name in METRICS
        }
    except ValueError as error:
        raise PredictionsError(f"{table.place(row)}: {error}") from error
    if not (train and images and injured <= images):
        raise PredictionsError(
            f"{table.place(row)}: {train} training images, {images} test images with {injured} "
            "injured cannot be"
        )
    return Fold(repeat, number, train, images, injured, row.cells["test_set"], metrics)


if __name__ == "__main__":
    run(main)
