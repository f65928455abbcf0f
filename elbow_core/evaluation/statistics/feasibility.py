"""Which confusion matrices could stand behind published figures; often, none."""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from elbow_core.evaluation.statistics.metrics import ratios_from_counts

FIGURES = (
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
# A quotient of counts that lies on a rounding edge misses it by less than this.
ROUNDING = 1e-9
BLOCK_CELLS = 1 << 16


class Confusion(NamedTuple):
    """A 2 x 2 matrix of counts."""

    tp: int
    fp: int
    tn: int
    fn: int


class Search(NamedTuple):
    """Every matrix that fits; and the nearest one, with the distance of its worst figure."""

    feasible: list[Confusion]
    nearest: Confusion
    off: float


def feasible_confusions(
    metrics: Mapping[str, float],
    positives: int,
    negatives: int,
    decimals: int,
    tolerance: float | None = None,
) -> list[Confusion]:
    """Every confusion matrix over the class counts whose figures round to the published ones.

    ``metrics`` may hold any of `FIGURES`, as fractions; a value halfway between two roundings
    belongs to both. ``tolerance`` replaces the half unit of the last of ``decimals``. An empty list
    says that the figures cannot come from such a set. Raises ValueError for another figure, for
    none, or for counts that are negative.
    """
    return search_confusions(metrics, positives, negatives, decimals, tolerance).feasible


def search_confusions(
    metrics: Mapping[str, float],
    positives: int,
    negatives: int,
    decimals: int,
    tolerance: float | None = None,
) -> Search:
    """`feasible_confusions`, and what comes nearest where there is none."""
    allowed = tolerance if tolerance is not None else 0.5 * 10.0**-decimals
    feasible = []
    nearest, off = Confusion(0, 0, negatives, positives), math.inf
    for bound, tp, fp, deviation in _deviations(metrics, positives, negatives):
        if bound > max(allowed + ROUNDING, off):
            break
        row, column = np.unravel_index(np.argmin(deviation), deviation.shape)
        if deviation[row, column] < off:
            t, f, off = int(tp[row]), int(fp[column]), float(deviation[row, column])
            nearest = Confusion(t, f, negatives - f, positives - t)
        rows, columns = np.nonzero(deviation <= allowed + ROUNDING)
        feasible += [
            Confusion(int(t), int(f), negatives - int(f), positives - int(t))
            for t, f in zip(tp[rows], fp[columns], strict=True)
        ]
    return Search(sorted(feasible), nearest, off)


def implied_prevalence(accuracy: float, precision: float, recall: float) -> float:
    """The share of positives that accuracy, precision and recall fix between them; nan if none.

    The wrong ones are (1 - recall) of the positives, and (1 - precision) / precision false alarms
    for each positive found.
    """
    if precision <= 0:
        return math.nan
    wrong_for_each_positive = (1 - recall) + recall * (1 - precision) / precision
    return (1 - accuracy) / wrong_for_each_positive if wrong_for_each_positive else math.nan


def _deviations(
    metrics: Mapping[str, float], positives: int, negatives: int
) -> Iterator[
    tuple[float, Int64[np.ndarray, " tp"], Int64[np.ndarray, " fp"], Float64[np.ndarray, "tp fp"]]
]:
    """The worst figure's distance from the published one over every (tp, fp), nearest recall first.

    Each block comes with what no later distance is below.
    """
    unknown = sorted(set(metrics) - set(FIGURES))
    if unknown or not metrics:
        raise ValueError(f"no figure, or one a confusion matrix does not decide: {unknown}")
    if positives < 0 or negatives < 0 or positives + negatives == 0:
        raise ValueError(f"{positives} positives and {negatives} negatives are not a set")
    every_tp, fp = np.arange(positives + 1), np.arange(negatives + 1)
    recall = metrics.get("recall", metrics.get("sensitivity"))
    # Recall is a matter of tp alone, so it bounds the distance of a whole row of matrices.
    bounds = np.zeros(every_tp.size)
    if recall is not None and positives > 0:
        bounds = np.abs(every_tp / positives - recall)
    order = np.argsort(bounds, kind="stable")
    rows = max(1, BLOCK_CELLS // fp.size)
    for start in range(0, order.size, rows):
        tp = every_tp[order[start : start + rows]]
        found, alarms = tp[:, None], fp[None]
        figures = ratios_from_counts(found, alarms, negatives - alarms, positives - found)
        figures["sensitivity"] = figures["recall"]
        worst = np.zeros((tp.size, fp.size))
        for name, value in metrics.items():
            distance = np.abs(figures[name] - value)
            # A figure that a matrix leaves undefined was not published from it.
            worst = np.maximum(worst, np.where(np.isnan(distance), np.inf, distance))
        yield float(bounds[order[start]]), tp, fp, worst
