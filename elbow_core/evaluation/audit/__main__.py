"""Check whether published metrics can come from the test set that they are reported for.

    python -m elbow_core.evaluation.audit RESULTS.csv --sets SETS.csv

RESULTS.csv has one row per model: its name, then any of accuracy, precision, recall, sensitivity,
specificity, npv, f1, kappa, mcc and balanced_accuracy as printed (0.925 or 92.5%; - or empty for
none, also where a metric is undefined). Each value counts with its own decimals, trailing zeros
included; it may have been rounded, half up or half even, or truncated. SETS.csv has one row per
set: set,positives,negatives. Lines that begin with # are ignored.
"""

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from elbow_core.cli import run
from elbow_core.evaluation.audit.search import audit
from elbow_core.evaluation.audit.tables import ClassCounts, read_results, read_sets
from elbow_core.tables import parse_number


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
            parse_number(options.tolerance, 0, 1)
            tolerance = Fraction(options.tolerance)
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
