"""Check whether published metrics can come from the test set that they are reported for.

    python -m elbow_core.evaluation.audit RESULTS.csv --sets SETS.csv

RESULTS.csv has one row per model: its name, then any of accuracy, precision, recall, sensitivity,
specificity, npv, f1, kappa, mcc and balanced_accuracy as printed (0.925 or 92.5%; - or empty for
none). SETS.csv has one row per set: set,positives,negatives. Lines that begin with # are ignored.
"""

import argparse
import csv
import io
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.evaluation.statistics import (
    MATRIX_METRICS,
    implied_prevalence,
    search_confusions,
)

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


def audit(
    published: Sequence[Published], sets: Sequence[ClassCounts], tolerance: float | None = None
) -> str:
    """Return the audit as text: one line per row and set, then the conclusions."""
    table = [("row", "set", "positives", "negatives", "matrices", "nearest tp fp tn fn", "off by")]
    explained = set()
    for row, counts in itertools.product(published, sets):
        found = search_confusions(
            row.metrics, counts.positives, counts.negatives, row.decimals, tolerance
        )
        explained |= {row.name} if found.feasible else set()
        table.append(
            (
                *(row.name, counts.name, f"{counts.positives}", f"{counts.negatives}"),
                *(
                    f"{len(found.feasible)}",
                    " ".join(map(str, found.nearest)),
                    f"{found.deviation:.4f}",
                ),
            )
        )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    allowed = "as printed" if tolerance is None else f"within {tolerance:g}"
    unexplained = [row.name for row in published if row.name not in explained]
    lines.append("")
    if len(unexplained) == len(published):
        lines.append(f"No confusion matrix over any of these sets gives any row {allowed}.")
    elif unexplained:
        lines.append(f"No confusion matrix gives, {allowed}: {', '.join(unexplained)}.")
    else:
        lines.append(f"Every row has a confusion matrix {allowed}.")
    return "\n".join([*lines, *_implied(published)])


def _implied(published: Sequence[Published]) -> list[str]:
    """Return the range of the share of positives that each row implies, given its rounding."""
    lines, ranges = [], []
    for row in published:
        try:
            known = [row.metrics[name] for name in ("accuracy", "precision")]
            known.append(row.metrics.get("recall", row.metrics.get("sensitivity", math.nan)))
        except KeyError:
            continue
        half = 0.5 * 10.0**-row.decimals
        corners = [
            implied_prevalence(
                *(value + sign * half for value, sign in zip(known, signs, strict=True))
            )
            for signs in itertools.product((-1, 1), repeat=3)
        ]
        if not any(map(math.isnan, corners)):
            ranges.append((min(corners), max(corners)))
            lines.append(f"  {row.name}: {min(corners):.1%} to {max(corners):.1%}")
    if not lines:
        return []
    if max(low for low, _ in ranges) > min(high for _, high in ranges):
        lines.append("No one share is within every range: the rows are not metrics of one set.")
    return ["", "Share of positives that accuracy, precision and recall need:", *lines]


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", type=Path, metavar="RESULTS.csv")
    parser.add_argument("--sets", type=Path, required=True, metavar="SETS.csv")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="allowed deviation of each metric; default: half a unit of its last digit",
    )
    parser.add_argument(
        "--not-swapped",
        action="store_true",
        help="do not try each set with its classes swapped as well",
    )
    options = parser.parse_args(arguments)
    if options.tolerance is not None and not 0 <= options.tolerance < 1:
        parser.error(f"--tolerance: {options.tolerance} is not from 0 to 1")
    sets = read_sets(options.sets)
    if not options.not_swapped:
        sets = [
            counts
            for original in sets
            for counts in (
                original,
                ClassCounts(f"{original.name}, swapped", original.negatives, original.positives),
            )
        ]
    print(audit(read_results(options.results), sets, options.tolerance))
    return 0


if __name__ == "__main__":
    run(main)
