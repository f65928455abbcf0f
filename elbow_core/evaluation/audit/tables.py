"""Tables of published metrics and of class counts, as the audit reads them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.evaluation.statistics.published import MATRIX_METRICS, MOST_IMAGES
from elbow_core.identity import has_outer_blanks
from elbow_core.tables import CsvTable, parse_whole_number, read_csv_table

# Often printed with the others, but not determined by a confusion matrix.
IGNORED = ("auroc", "average_precision", "brier", "ece")
COLUMNS = (*MATRIX_METRICS, *IGNORED)
# Python refuses to parse a number of very many digits.
PRINTED = re.compile(r"(-?[0-9]{1,20}(?:\.([0-9]{1,100}))?)(%?)")


@dataclass(frozen=True, slots=True)
class Published:
    """One row of a table of results: each metric as printed, exactly, and its own decimals.

    ``92.50%`` is the fraction 37/40 with four decimals.
    """

    name: str
    metrics: dict[str, Fraction]
    decimals: dict[str, int]


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """A set that the metrics may come from."""

    name: str
    positives: int
    negatives: int


def read_results(path: Path) -> list[Published]:
    """Read published metrics, one item per row; raises `UserError` with file and line."""
    table = _read_table(path, _check_results)
    published = []
    for row in table.rows:
        place, (name, *cells) = table.place(row), row.cells.items()
        metrics, decimals = {}, {}
        for column, text in cells:
            if text in ("", "-", "–") or column in IGNORED:
                continue
            printed = PRINTED.fullmatch(text)
            if printed is None:
                raise UserError(f"{place}: {column} {text!r} is not a number")
            percent = 2 if printed[3] else 0
            metrics[column] = Fraction(printed[1]) / 10**percent
            decimals[column] = len(printed[2] or "") + percent
            lowest = -1 if column in ("kappa", "mcc") else 0
            if metrics[column] < lowest:
                raise UserError(f"{place}: {column} {text} is below {lowest}")
            if metrics[column] > 1:
                raise UserError(f"{place}: {column} {text} is above 1; write 92.5% or 0.925")
        if not metrics:
            raise UserError(f"{place}: no metric that a confusion matrix determines")
        published.append(Published(name[1], metrics, decimals))
    return published


def read_sets(path: Path) -> list[ClassCounts]:
    """Read class counts, one item per row; raises `UserError` with file and line."""
    table = _read_table(path, _check_sets)
    sets = []
    for row in table.rows:
        counts = {}
        for column in ("positives", "negatives"):
            try:
                counts[column] = parse_whole_number(row.cells[column])
            except ValueError as error:
                raise UserError(f"{table.place(row)}: {column} {error}") from error
        found = ClassCounts(row.cells["set"], **counts)
        if found.positives + found.negatives == 0:
            raise UserError(f"{table.place(row)}: the set {found.name!r} is empty")
        if found.positives + found.negatives > MOST_IMAGES:
            raise UserError(
                f"{table.place(row)}: the set {found.name!r} has more than {MOST_IMAGES} images"
            )
        sets.append(found)
    return sets


def _check_results(columns: tuple[str, ...], place: str) -> None:
    for column in columns[1:]:
        if column not in COLUMNS:
            raise UserError(f"{place}: column {column!r} is not one of {', '.join(COLUMNS)}")
    if columns and (columns[0] in COLUMNS or not columns[0]):
        raise UserError(f"{place}: the first column is {columns[0]!r}; it must be the row's name")


def _check_sets(columns: tuple[str, ...], place: str) -> None:
    if columns and columns != ("set", "positives", "negatives"):
        raise UserError(f"{place}: the header must be set,positives,negatives")


def _read_table(path: Path, check_columns: Callable[[tuple[str, ...], str], None]) -> CsvTable:
    """Read a table whose first column names its rows; no cell may have blanks around it."""
    table = read_csv_table(path, UserError, check_columns, comments=True)
    if not table.rows:
        raise UserError(f"{path}: no rows below a header")
    seen: set[str] = set()
    for row in table.rows:
        for column, text in row.cells.items():
            if has_outer_blanks(text):
                raise UserError(
                    f"{table.place(row)}: {column} {text!r} starts or ends with a blank; remove it"
                )
        name = row.cells[table.columns[0]]
        if name in seen:
            raise UserError(f"{table.place(row)}: {table.columns[0]} {name!r} is repeated")
        seen.add(name)
    return table
