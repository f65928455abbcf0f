"""Metrics of the order of the scores, and the one helper that sorts scores with ties."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs


def sorted_with_ties(
    scores: Float[np.ndarray, " n"], *, descending: bool = False
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " distinct"]]:
    """Return the stable sorting order, and the last sorted position of each distinct score.

    A cumulative sum over the sorted images, taken at those positions, counts tied images together.
    """
    order = np.argsort(-scores if descending else scores, kind="stable")
    ordered = scores[order]
    return order, np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), scores.size - 1)


def midranks(scores: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Rank the scores from 1 up; tied scores share the mean of their ranks.

    Equals scipy.stats.rankdata.
    """
    order, last_of_tie = sorted_with_ties(scores)
    sizes = np.diff(last_of_tie, prepend=-1)
    ranks = np.empty(scores.size)
    ranks[order] = np.repeat(last_of_tie + 1 - (sizes - 1) / 2, sizes)
    return ranks


def row_ranks(
    scores: Float[np.ndarray, "models n"],
) -> Float64[np.ndarray, "models n"]:
    """Rank the scores of each model; see `midranks`."""
    return np.stack([midranks(row) for row in scores])


def placements(
    positive: Bool[np.ndarray, " n"], scores: Float[np.ndarray, "models n"]
) -> tuple[Float64[np.ndarray, "models injured"], Float64[np.ndarray, "models normal"]]:
    """Return the shares of normal images below each injured one, of injured ones above each normal.

    Tied images count half. The mean of either, along the images, is the AUROC. Both classes must be
    present.

    Reference: Sun and Xu, IEEE Signal Processing Letters 21:1389 (2014).
    """
    ranks = row_ranks(scores)
    injured = np.count_nonzero(positive)
    below = (ranks[:, positive] - row_ranks(scores[:, positive])) / (positive.size - injured)
    above = 1 - (ranks[:, ~positive] - row_ranks(scores[:, ~positive])) / injured
    return below, above


def counts_by_threshold(
    labels: Labels, scores: Float[np.ndarray, " n"]
) -> tuple[
    Float64[np.ndarray, " distinct"],
    Int64[np.ndarray, " distinct"],
    Int64[np.ndarray, " distinct"],
]:
    """Return each distinct score, highest first, with the true and false positives at or above it.

    Raises ValueError as `checked_inputs` does.
    """
    positive, scores = checked_inputs(labels, scores)
    order, last_of_tie = sorted_with_ties(scores, descending=True)
    true_positives = np.cumsum(positive[order])[last_of_tie]
    return scores[order][last_of_tie], true_positives, last_of_tie + 1 - true_positives


def auroc(labels: Labels, scores: Float[np.ndarray, " n"]) -> float:
    """Area under the ROC curve; tied pairs count half; nan where a class is absent.

    Hanley and McNeil, Radiology 143:29 (1982); equals sklearn.metrics.roc_auc_score.
    """
    positive, scores = checked_inputs(labels, scores)
    positives = int(np.count_nonzero(positive))
    negatives = positive.size - positives
    if not positives or not negatives:
        return float("nan")
    rank_sum = float(midranks(scores)[positive].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(labels: Labels, scores: Float[np.ndarray, " n"]) -> float:
    """Precision averaged over the steps of recall; nan where no image is injured.

    Equals sklearn.metrics.average_precision_score.
    """
    _, true_positives, false_positives = counts_by_threshold(labels, scores)
    if not true_positives[-1]:
        return float("nan")
    precision = true_positives / (true_positives + false_positives)
    return float(np.sum(np.diff(true_positives, prepend=0) * precision) / true_positives[-1])


def roc_points(
    labels: Labels, scores: Float[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """Return 1 - specificity and sensitivity of each distinct threshold, from (0, 0) to (1, 1).

    Both classes must be present. Raises ValueError as `checked_inputs` does.
    """
    _, true_positives, false_positives = counts_by_threshold(labels, scores)
    x, y = (np.append(0, counts) / counts[-1] for counts in (false_positives, true_positives))
    return x, y
