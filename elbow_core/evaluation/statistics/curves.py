"""Curves over the threshold: ROC and precision-recall."""

import numpy as np
from jaxtyping import Float, Float64

from elbow_core.evaluation.statistics.metrics import Labels, checked, ratio


def roc_curve(
    labels: Labels, scores: Float[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """False and true positive rate at every distinct score, from (0, 0) to (1, 1).

    nan on an axis whose class is absent. Equals sklearn.metrics.roc_curve without dropping points.
    """
    false_positives, true_positives = _counts_at_each_score(labels, scores)
    return (
        ratio(false_positives, np.full(false_positives.shape, false_positives[-1])),
        ratio(true_positives, np.full(true_positives.shape, true_positives[-1])),
    )


def precision_recall_curve(
    labels: Labels, scores: Float[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """Recall and precision at every distinct score, from the highest score down."""
    false_positives, true_positives = (c[1:] for c in _counts_at_each_score(labels, scores))
    recall = ratio(true_positives, np.full(true_positives.shape, true_positives[-1]))
    return recall, true_positives / (true_positives + false_positives)


def _counts_at_each_score(
    labels: Labels, scores: Float[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    positive, scores = checked(labels, scores)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), positive.size - 1)
    true_positives = np.cumsum(positive[order])[last_of_tie].astype(np.float64)
    return np.append(0.0, last_of_tie + 1 - true_positives), np.append(0.0, true_positives)
