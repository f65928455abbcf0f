"""Tables of published metrics and of class counts, as the audit reads them."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.evaluation.statistics import MATRIX_METRICS

# Often printed with the others, but not determined by a confusion matrix.
IGNORED = ("auroc", "average_precision", "brier", "ece")
COLUMNS = (*MATRIX_METRICS, *IGNORED)
PRINTED = re.compile(r"(-?\d+(?:\.(\d+))?)(%?)")


@dataclass(frozen=True, slots=True)
class Published:
    """One row of a table of results: metrics as fractions, and the number of printed decimals."""

    name: str
    metrics: dict[str, float]
    decimals: int


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """A set that the metrics may come from."""

    name: str
    positives: int
    negatives: int


def read_results(path: Path) -> list[Published]:
    """Read published metrics, one item per row; raises `UserError` with file and line."""
    published = []
    for line, row in _rows(path):
        name, *cells = row.items()
        metrics, decimals = {}, set()
        for column, text in cells:
            if column not in COLUMNS:
                raise UserError(f"{path}: column {column!r} is not one of {', '.join(COLUMNS)}")
            if text in ("", "-", "–") or column in IGNORED:
                continue
            printed = PRINTED.fullmatch(text)
            if printed is None:
                raise UserError(f"{path}:{line}: {column} {text!r} is not a number")
            percent = 2 if printed[3] else 0
            metrics[column] = float(printed[1]) / 10**percent
            decimals.add(len(printed[2] or "") + percent)
            if not -1 <= metrics[column] <= 1:
                raise UserError(f"{path}:{line}: {column} {text} is above 1; write 92.5% or 0.925")
        if not metrics:
            raise UserError(f"{path}:{line}: no metric that a confusion matrix determines")
        # Trailing zeros may have been dropped: the longest number shows the rounding.
        published.append(Published(name[1], metrics, max(decimals)))
    return published


def read_sets(path: Path) -> list[ClassCounts]:
    """Read class counts, one item per row; raises `UserError` with file and line."""
    sets = []
    for line, row in _rows(path):
        if list(row) != ["set", "positives", "negatives"]:
            raise UserError(f"{path}: the header must be set,positives,negatives")
        if not (row["positives"].isdecimal() and row["negatives"].isdecimal()):
            raise UserError(f"{path}:{line}: positives and negatives must be whole numbers")
        counts = ClassCounts(row["set"], int(row["positives"]), int(row["negatives"]))
        if counts.positives + counts.negatives == 0:
            raise UserError(f"{path}:{line}: the set {counts.name!r} is empty")
        sets.append(counts)
    return sets


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    numbered = [
        (number, next(csv.reader(io.StringIO(line))))
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]
    if len(numbered) < 2:
        raise UserError(f"{path}: no rows below a header")
    header = [name.strip() for name in numbered[0][1]]
    if len(set(header)) < len(header):
        raise UserError(f"{path}:{numbered[0][0]}: a column name is repeated")
    for number, cells in numbered[1:]:
        if len(cells) != len(header):
            raise UserError(f"{path}:{number}: {len(cells)} values under {len(header)} columns")
    return [
        (number, dict(zip(header, map(str.strip, cells), strict=True)))
        for number, cells in numbered[1:]
    ]
