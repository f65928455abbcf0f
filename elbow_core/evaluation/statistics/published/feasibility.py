"""Search for the confusion matrices that could have produced published metrics."""

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from elbow_core.evaluation.statistics.confusion import Confusion, confusion_metrics
from elbow_core.evaluation.statistics.published.printed_values import (
    Range,
    confusion_lies_in,
    exact,
    readings,
)

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
MOST_IMAGES = 90_000_000
"""Of a set: products of two counts are then exact in float64."""
# Float metrics are nearer to the exact ones than this; closer to an edge, fractions decide.
_SLACK = 1e-12
BLOCK_CELLS = 1 << 16


class Search(NamedTuple):
    """Every feasible matrix; and the nearest one, with the deviation of its worst metric.

    ``feasible`` are the matrices that round to the metrics, ``truncated`` those that give them if
    the further digits were cut off instead.
    """

    feasible: list[Confusion]
    truncated: list[Confusion]
    nearest: Confusion
    deviation: float


def feasible_confusions(
    metrics: Mapping[str, float | Fraction],
    positives: int,
    negatives: int,
    decimals: int | Mapping[str, int],
    tolerance: float | Fraction | None = None,
) -> list[Confusion]:
    """Return every confusion matrix over the class counts that rounds to the published metrics.

    ``metrics`` may hold any of `MATRIX_METRICS`, as fractions of 1; a float stands for the decimal
    number that it is printed as. ``decimals`` are those of every metric, or of each by name. A
    value halfway between two roundings matches both, since half-up and half-even rounding differ
    there. ``tolerance`` replaces half a unit of the last decimal. The comparison is exact, in whole
    numbers. An empty list means that the metrics cannot come from a set with these counts; a metric
    that is undefined for a matrix excludes it. Raises ValueError for another metric, for none, for
    negative counts, and for more than `MOST_IMAGES` images.
    """
    return search_confusions(metrics, positives, negatives, decimals, tolerance).feasible


def search_confusions(
    metrics: Mapping[str, float | Fraction],
    positives: int,
    negatives: int,
    decimals: int | Mapping[str, int],
    tolerance: float | Fraction | None = None,
) -> Search:
    """Search as `feasible_confusions` does; also for truncated metrics, and the nearest matrix.

    With a ``tolerance`` no metric counts as truncated.
    """
    _check(metrics, positives, negatives)
    by_name = dict.fromkeys(metrics, decimals) if isinstance(decimals, int) else decimals
    rounded, truncated = readings(metrics, by_name, tolerance)
    reach = max(_reach(metrics, rounded), _reach(metrics, truncated))
    found: list[list[Confusion]] = [[], []]
    nearest, least = Confusion(0, 0, negatives, positives), math.inf
    for bound, tp, fp, metric_blocks in _blocks(metrics, positives, negatives):
        deviation = _worst_deviation(metric_blocks, metrics)
        row, column = np.unravel_index(np.argmin(deviation), deviation.shape)
        if deviation[row, column] < least:
            t, f, least = int(tp[row]), int(fp[column]), float(deviation[row, column])
            nearest = Confusion(t, f, negatives - f, positives - t)
        for reading, matrices in zip((rounded, truncated), found, strict=True):
            if reading is not None:
                matrices += _matrices_in(reading, metric_blocks, tp, fp, positives, negatives)
        if bound > max(reach, least):
            break
    return Search(sorted(found[0]), sorted(found[1]), nearest, least)


def implied_prevalence(
    accuracy: float | Fraction, precision: float | Fraction, recall: float | Fraction
) -> float | Fraction:
    """Return the share of positives that accuracy, precision and recall imply; nan if none.

    The errors are (1 - recall) false negatives per positive and (1 - precision) / precision false
    positives per true positive. Fractions give a fraction.
    """
    if precision <= 0:
        return math.nan
    errors_per_positive = (1 - recall) + recall * (1 - precision) / precision
    return (1 - accuracy) / errors_per_positive if errors_per_positive else math.nan


def _check(metrics: Mapping[str, float | Fraction], positives: int, negatives: int) -> None:
    unknown = sorted(set(metrics) - set(MATRIX_METRICS))
    if unknown or not metrics:
        raise ValueError(f"no metric, or one that a confusion matrix does not determine: {unknown}")
    if positives < 0 or negatives < 0 or positives + negatives == 0:
        raise ValueError(f"{positives} positives and {negatives} negatives are not a set")
    if positives + negatives > MOST_IMAGES:
        raise ValueError(f"the set has more than {MOST_IMAGES} images")


def _blocks(
    metrics: Mapping[str, float | Fraction], positives: int, negatives: int
) -> Iterator[
    tuple[
        float,
        Int64[np.ndarray, " tp"],
        Int64[np.ndarray, " fp"],
        dict[str, Float64[np.ndarray, "tp fp"]],
    ]
]:
    """Yield blocks of (tp, fp) with the metrics of each, ordered by the deviation of recall.

    The first item is a lower bound of the deviation of recall in every later block.
    """
    every_tp, fp = np.arange(positives + 1), np.arange(negatives + 1)
    recall = metrics.get("recall", metrics.get("sensitivity"))
    # Recall depends on tp alone, so it bounds the deviation of a whole row of matrices.
    bounds = np.zeros(every_tp.size)
    if recall is not None and positives > 0:
        bounds = np.abs(every_tp / positives - float(recall))
    order = np.argsort(bounds, kind="stable")
    rows = max(1, BLOCK_CELLS // fp.size)
    for start in range(0, order.size, rows):
        tp = every_tp[order[start : start + rows]]
        tps, fps = tp[:, None], fp[None]
        found = confusion_metrics(tps, fps, negatives - fps, positives - tps)
        found["sensitivity"] = found["recall"]
        shape = (tp.size, fp.size)
        following = order[start + rows : start + rows + 1]
        bound = float(bounds[following[0]]) if following.size else math.inf
        yield bound, tp, fp, {name: np.broadcast_to(found[name], shape) for name in metrics}


def _worst_deviation(
    found: Mapping[str, Float64[np.ndarray, "tp fp"]], metrics: Mapping[str, float | Fraction]
) -> Float64[np.ndarray, "tp fp"]:
    """Return the deviation of each matrix's worst metric; infinite where one is undefined."""
    distances = np.stack([np.abs(found[name] - float(value)) for name, value in metrics.items()])
    return np.where(np.isnan(distances), np.inf, distances).max(axis=0)


def _matrices_in(
    reading: Mapping[str, Range],
    found: Mapping[str, Float64[np.ndarray, "tp fp"]],
    tp: Int64[np.ndarray, " tp"],
    fp: Int64[np.ndarray, " fp"],
    positives: int,
    negatives: int,
) -> list[Confusion]:
    """Return the matrices of a block whose every metric lies in its range."""
    possible = np.ones((tp.size, fp.size), bool)
    certain = possible.copy()
    for name, range_ in reading.items():
        low, high = float(range_.low), float(range_.high)
        # An undefined metric is nan, which is in no range.
        possible &= (found[name] >= low - _SLACK) & (found[name] <= high + _SLACK)
        certain &= (found[name] > low + _SLACK) & (found[name] < high - _SLACK)
    matrices = []
    for row, column in np.argwhere(possible):
        t, f = int(tp[row]), int(fp[column])
        matrix = Confusion(t, f, negatives - f, positives - t)
        if certain[row, column] or confusion_lies_in(matrix, reading):
            matrices.append(matrix)
    return matrices


def _reach(metrics: Mapping[str, float | Fraction], reading: Mapping[str, Range] | None) -> float:
    """Return the greatest deviation of recall that a reading allows; of any metric without it."""
    name = "recall" if "recall" in metrics else "sensitivity"
    if reading is None or name not in metrics:
        return 0.0 if reading is None else math.inf
    value, range_ = exact(metrics[name]), reading[name]
    return float(max(value - range_.low, range_.high - value)) + _SLACK
