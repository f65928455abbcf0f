"""Compare two recipes by the folds of their cross-validations.

    python -m elbow_core.evaluation.folds RUN RUN        # two runs of elbow_jax.crossval
    python -m elbow_core.evaluation.folds FOLDS.csv FOLDS.csv

Both must have dealt the same images to the same folds. Prints each metric's mean and standard
deviation over the folds, and the difference with the corrected resampled t-test.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from elbow_core.cli import run
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.fold_metrics import METRICS, Fold, read_folds, spread
from elbow_core.evaluation.statistics.differences import Difference, corrected_resampled_t


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


def _repeats(folds: Sequence[Fold]) -> int:
    return len({fold.repeat for fold in folds})


if __name__ == "__main__":
    run(main)
