"""Two recipes compared by the folds of their cross-validations."""

from collections.abc import Sequence

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.folds.metrics import METRICS, Fold
from elbow_core.evaluation.statistics.differences import Difference, corrected_resampled_t


def compare_folds(first: Sequence[Fold], second: Sequence[Fold]) -> dict[str, Difference]:
    """Return each metric's difference, first minus second, by `corrected_resampled_t`.

    Raises `PredictionsError` unless both have the same folds of the same images.
    """
    pairs = {(fold.repeat, fold.number): fold for fold in second}
    keys = {(fold.repeat, fold.number) for fold in first}
    if keys != pairs.keys():
        raise PredictionsError(
            f"{len(first)} folds in {count_repeats(first)} repeats and {len(second)} in "
            f"{count_repeats(second)}; the same folds are needed"
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


def count_repeats(folds: Sequence[Fold]) -> int:
    """Return how many times the images were dealt to folds."""
    return len({fold.repeat for fold in folds})
