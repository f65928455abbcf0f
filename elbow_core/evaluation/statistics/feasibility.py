"""Search for the confusion matrices that could have produced published metrics."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from elbow_core.evaluation.statistics.confusion import Confusion, confusion_metrics

MATRIX_METRICS = (
    "accuracy",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "npv",
    "f1",
    "kappa",
    "mcc",
    "balanced_accuracy",
)
# Tolerance for the rounding of a quotient of counts that lies exactly on an edge.
ROUNDING = 1e-9
BLOCK_CELLS = 1 << 16


class Search(NamedTuple):
    """Every feasible matrix; and the nearest one, with the deviation of its worst metric."""

    feasible: list[Confusion]
    nearest: Confusion
    deviation: float


def feasible_confusions(
    metrics: Mapping[str, float],
    positives: int,
    negatives: int,
    decimals: int,
    tolerance: float | None = None,
) -> list[Confusion]:
    """Return every confusion matrix over the class counts that rounds to the published metrics.

    ``metrics`` may hold any of `MATRIX_METRICS`, as fractions; a value halfway between two
    roundings matches both. ``tolerance`` replaces half a unit of the last of ``decimals``. An empty
    list means that the metrics cannot come from a set with these counts. Raises ValueError for
    another metric, for none, or for negative counts.
    """
    return search_confusions(metrics, positives, negatives, decimals, tolerance).feasible


def search_confusions(
    metrics: Mapping[str, float],
    positives: int,
    negatives: int,
    decimals: int,
    tolerance: float | None = None,
) -> Search:
    """Search as `feasible_confusions` does; also find the nearest matrix."""
    allowed = tolerance if tolerance is not None else 0.5 * 10.0**-decimals
    feasible = []
    nearest, least = Confusion(0, 0, negatives, positives), math.inf
    for bound, tp, fp, deviation in _deviations(metrics, positives, negatives):
        if bound > max(allowed + ROUNDING, least):
            break
        row, column = np.unravel_index(np.argmin(deviation), deviation.shape)
        if deviation[row, column] < least:
            t, f, least = int(tp[row]), int(fp[column]), float(deviation[row, column])
            nearest = Confusion(t, f, negatives - f, positives - t)
        rows, columns = np.nonzero(deviation <= allowed + ROUNDING)
        feasible += [
            Confusion(int(t), int(f), negatives - int(f), positives - int(t))
            for t, f in zip(tp[rows], fp[columns], strict=True)
        ]
    return Search(sorted(feasible), nearest, least)


def implied_prevalence(accuracy: float, precision: float, recall: float) -> float:
    """Return the share of positives that accuracy, precision and recall imply; nan if none.

    The errors are (1 - recall) false negatives per positive and (1 - precision) / precision false
    positives per true positive.
    """
    if precision <= 0:
        return math.nan
    errors_per_positive = (1 - recall) + recall * (1 - precision) / precision
    return (1 - accuracy) / errors_per_positive if errors_per_positive else math.nan


def _deviations(
    metrics: Mapping[str, float], positives: int, negatives: int
) -> Iterator[
    tuple[float, Int64[np.ndarray, " tp"], Int64[np.ndarray, " fp"], Float64[np.ndarray, "tp fp"]]
]:
    """Yield blocks of (tp, fp) with the worst metric's deviation, ordered by deviation of recall.

    The first item of a block is a lower bound of its and every later block's deviations.
    """
    unknown = sorted(set(metrics) - set(MATRIX_METRICS))
    if unknown or not metrics:
        raise ValueError(f"no metric, or one that a confusion matrix does not determine: {unknown}")
    if positives < 0 or negatives < 0 or positives + negatives == 0:
        raise ValueError(f"{positives} positives and {negatives} negatives are not a set")
    every_tp, fp = np.arange(positives + 1), np.arange(negatives + 1)
    recall = metrics.get("recall", metrics.get("sensitivity"))
    # Recall depends on tp alone, so it bounds the deviation of a whole row of matrices.
    bounds = np.zeros(every_tp.size)
    if recall is not None and positives > 0:
        bounds = np.abs(every_tp / positives - recall)
    order = np.argsort(bounds, kind="stable")
    rows = max(1, BLOCK_CELLS // fp.size)
    for start in range(0, order.size, rows):
        tp = every_tp[order[start : start + rows]]
        tps, fps = tp[:, None], fp[None]
        found = confusion_metrics(tps, fps, negatives - fps, positives - tps)
        found["sensitivity"] = found["recall"]
        worst = np.zeros((tp.size, fp.size))
        for name, value in metrics.items():
            distance = np.abs(found[name] - value)
            # A matrix for which a published metric is undefined is not feasible.
            worst = np.maximum(worst, np.where(np.isnan(distance), np.inf, distance))
        yield float(bounds[order[start]]), tp, fp, worst
