"""Compare two recipes by the folds of their cross-validations.

    python -m elbow_core.evaluation.folds RUN RUN        # two runs of elbow_jax.crossval
    python -m elbow_core.evaluation.folds FOLDS.csv FOLDS.csv

Both must have dealt the same images to the same folds. Prints each metric's mean and standard
deviation over the folds, and the difference with the corrected resampled t-test.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core.cli import run
from elbow_core.evaluation.folds.comparison import compare_folds, count_repeats
from elbow_core.evaluation.folds.metrics import read_folds, spread


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
    print(
        f"{len(first)} folds, {count_repeats(first)} repeats; mean (standard deviation over folds)"
    )
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


if __name__ == "__main__":
    run(main)
