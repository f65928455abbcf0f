"""The metrics of each fold of a cross-validation, and their file folds.csv."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import binary_metrics
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


def _values(fold: Fold) -> list[float]:
    return [fold.metrics[name] for name in METRICS]


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
