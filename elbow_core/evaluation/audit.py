"""Check whether published metrics can come from the test set that they are reported for.

    python -m elbow_core.evaluation.audit RESULTS.csv --sets SETS.csv

RESULTS.csv has one row per model: its name, then any of accuracy, precision, recall, sensitivity,
specificity, npv, f1, kappa, mcc and balanced_accuracy as printed (0.925 or 92.5%; - or empty for
none). SETS.csv has one row per set: set,positives,negatives. Lines that begin with # are ignored.
"""

import argparse
import itertools
import math
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.evaluation.published_tables import ClassCounts, Published, read_results, read_sets
from elbow_core.evaluation.statistics import implied_prevalence, search_confusions
from elbow_core.printable import one_line
from elbow_core.tables import parse_number


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
    table = [tuple(map(one_line, row)) for row in table]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    allowed = "as printed" if tolerance is None else f"within {tolerance:g}"
    unexplained = [one_line(row.name) for row in published if row.name not in explained]
    lines.append("")
    if len(unexplained) == len(published):
        lines.append(f"No confusion matrix over any of these sets gives any row {allowed}.")
    elif unexplained:
        lines.append(f"No confusion matrix gives, {allowed}: {', '.join(unexplained)}.")
    else:
        lines.append(f"Every row has a confusion matrix {allowed}.")
    return "\n".join([*lines, *_implied(published)])


def _implied(published: Sequence[Published]) -> list[str]:
    """Return the range of the share of positives that each row implies, given its rounding.

    Rounding gives no metric below 0 or above 1. A share above 1 is the share of no set.
    """
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
                *(
                    min(max(value + sign * half, 0.0), 1.0)
                    for value, sign in zip(known, signs, strict=True)
                )
            )
            for signs in itertools.product((-1, 1), repeat=3)
        ]
        if any(map(math.isnan, corners)):
            continue
        low, high = min(corners), min(max(corners), 1.0)
        ranges.append((low, high))
        share = f"{low:.1%} to {high:.1%}" if low <= 1 else "none from 0 to 100 %"
        lines.append(f"  {one_line(row.name)}: {share}")
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
        help="allowed deviation of each metric, 0 to 1; default: half a unit of its last digit",
    )
    parser.add_argument(
        "--not-swapped",
        action="store_true",
        help="do not try each set with its classes swapped as well",
    )
    options = parser.parse_args(arguments)
    tolerance = None
    if options.tolerance is not None:
        try:
            tolerance = parse_number(options.tolerance, 0, 1)
        except ValueError as error:
            parser.error(f"--tolerance: {error}")
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
    print(audit(read_results(options.results), sets, tolerance))
    return 0


if __name__ == "__main__":
    run(main)
