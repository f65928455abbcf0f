"""The 95 % interval of a difference of paired proportions, which stays within -1 to 1."""

import math

import numpy as np
from jaxtyping import Bool, Int64

from elbow_core.evaluation.statistics.clusters import effective_size
from elbow_core.evaluation.statistics.intervals import wilson


def paired_interval(
    first: Bool[np.ndarray, " n"], second: Bool[np.ndarray, " n"], clusters: Int64[np.ndarray, " n"]
) -> tuple[float, float]:
    """Return the interval of the difference of two proportions of the same images.

    It joins Wilson's intervals of the two proportions by their correlation, so it cannot leave -1
    to 1. With one image per patient it is Newcombe's method 10. With several, Wilson's intervals
    are on the effective numbers of images (`effective_size`), and the correlation is that of the
    patients' residuals, without Newcombe's correction for continuity.

    References: Newcombe, Statistics in Medicine 17:2635 (1998); Zou and Donner, Statistics in
    Medicine 27:1693 (2008), for the same sum of squares of any two intervals.
    """
    if np.unique(clusters).size == first.size:
        correlation = _newcombe_correlation(first, second)
    else:
        correlation = _clustered_correlation(first, second, clusters)
    shares, ends = [], []
    for right in (first, second):
        share, size = float(np.mean(right)), effective_size(right, clusters)
        shares.append(share)
        ends.append(wilson(share * size, size))
    return joined_interval((shares[0], shares[1]), (ends[0], ends[1]), correlation)


def joined_interval(
    values: tuple[float, float],
    ends: tuple[tuple[float, float], tuple[float, float]],
    correlation: float,
) -> tuple[float, float]:
    """Return the interval of the first value minus the second, from the interval of each.

    ``correlation`` is that of the two estimates. Within 0 to 1 the values give an interval within
    -1 to 1.

    Reference: Zou and Donner, Statistics in Medicine 27:1693 (2008).
    """
    estimate = values[0] - values[1]
    below = _joined(values[0] - ends[0][0], ends[1][1] - values[1], correlation)
    above = _joined(ends[0][1] - values[0], values[1] - ends[1][0], correlation)
    # Only rounding could pass the limits.
    return max(estimate - below, -1.0), min(estimate + above, 1.0)


def _newcombe_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two paired proportions, corrected for continuity (method 10)."""
    both, neither = int(np.sum(first & second)), int(np.sum(~first & ~second))
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(~first & second))
    margins = (both + only_first) * (only_second + neither)
    margins *= (both + only_second) * (only_first + neither)
    product = both * neither - only_first * only_second
    if product > 0:
        product = max(product - first.size / 2, 0)
    return product / math.sqrt(margins) if margins else 0.0


def _clustered_correlation(first: np.ndarray, second: np.ndarray, clusters: np.ndarray) -> float:
    """Return the correlation of the patients' residuals of two proportions; 0 without spread."""
    one, other = (np.bincount(clusters, weights=right - right.mean()) for right in (first, second))
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale > 0 else 0.0


def _joined(first: float, second: float, correlation: float) -> float:
    # Rounding may make the sum of squares negative where the two cancel.
    return math.sqrt(max(first**2 - 2 * correlation * first * second + second**2, 0.0))
