"""Differences of a metric between groups of images: the largest one, and a test of them all.

The statistic is the largest standardised difference over all pairs of groups. Its distribution,
when all groups have one true value, is drawn with the groups' sizes and correlations as they are
(a parametric bootstrap), so the test accounts for the number of groups, and the interval of the
largest difference for its having been picked. The test's level and power are in
``tests/evaluation/test_group_gap_level.py``.

References: Hothorn, Bretz and Westfall, Biometrical Journal 50:346 (2008), for the statistic;
Krishnamoorthy, Lu and Mathew, Computational Statistics & Data Analysis 51:5731 (2007), for the
bootstrap with unequal variances; Phipson and Smyth, Statistical Applications in Genetics and
Molecular Biology 9:39 (2010), for the p of drawn statistics.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.special import expit, ndtr
from scipy.stats import binom

from elbow_core.evaluation.statistics.differences import joined_interval
from elbow_core.evaluation.statistics.groups.estimates import (
    LEAST_PATIENTS,
    group_areas,
    group_proportions,
    judged_groups,
)
from elbow_core.evaluation.statistics.inputs import Labels
from elbow_core.evaluation.statistics.intervals import TAILS, Z, wilson

GAP_DRAWS = 10_000
LEVEL = TAILS[1] - TAILS[0]
TOO_FEW_GROUPS = f"fewer than two groups have {LEAST_PATIENTS} patients of each class"

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Gap:
    """The largest difference of a metric between two groups, the higher one minus the lower one.

    ``low`` and ``high`` hold for all pairs of groups at once, in 95 of 100 samples; ``p`` is of the
    hypothesis that no group differs. ``tested`` is the pair with the largest standardised
    difference, from which ``p`` comes; in small groups it need not be that of the largest gap.
    Groups are numbers; without two judged groups all numbers are nan and ``reason`` says so.
    """

    judged: tuple[int, ...]
    pair: tuple[int, int] | None
    estimate: float
    low: float
    high: float
    p: float
    tested: tuple[int, int] | None
    reason: str = ""


def proportion_gap(
    success: Bool[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    seed: int = 0,
    draws: int = GAP_DRAWS,
) -> Gap:
    """Compare a proportion, such as the sensitivity, between groups of images.

    ``success`` holds only images that count: for the sensitivity the injured ones. The variance of
    a difference is that of equal proportions, pooled over the groups, on effective numbers of
    images (`group_proportions`). Under equality each group's successes are drawn from a binomial
    distribution, so groups without an error are judged as they should be; groups that share
    patients are drawn with their correlation. The interval joins Wilson's of the two groups.
    """
    judged, number = _renumbered(groups, clusters, [np.ones(groups.size, bool)])
    if judged.size < 2:
        return _no_gap(judged)
    kept = number >= 0
    found = group_proportions(success[kept], number[kept], clusters[kept])
    sizes = found.sizes
    # Only rounding could pass 1.
    pooled = min(float(np.sum(found.values * sizes) / sizes.sum()), 1.0)
    statistic, tested = _largest_standardised(
        found.values[:, None], (pooled * (1 - pooled) / sizes)[:, None], found.correlation
    )
    trials = np.maximum(np.rint(sizes), 1).astype(np.int64)
    drawn = _binomial_draws(trials, pooled, found.correlation, draws, seed)
    means = drawn.sum(axis=0) / trials.sum()
    null, _ = _largest_standardised(
        drawn / trials[:, None], means * (1 - means) / trials[:, None], found.correlation
    )

    def ends(group: int, quantile: float) -> tuple[float, float]:
        size = float(sizes[group])
        return wilson(float(found.values[group]) * size, size, quantile)

    return _gap(judged, found.values, found.correlation, ends, float(statistic[0]), tested, null)


def area_gap(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    seed: int = 0,
    draws: int = GAP_DRAWS,
) -> Gap:
    """Compare the area under the ROC curve between groups of images.

    The statistic is on the logit scale, with the variances and correlations of `group_areas`. Under
    equality the logits are drawn from a normal distribution and each estimated variance from a
    chi-squared one, whose degrees of freedom are the patients of the group's scarcer class minus 1:
    the variances of small groups are uncertain. The interval joins those of the two groups.
    """
    positive = labels.astype(bool)
    judged, number = _renumbered(groups, clusters, [positive, ~positive])
    if judged.size < 2:
        return _no_gap(judged)
    kept = number >= 0
    found = group_areas(positive[kept], scores[kept], number[kept], clusters[kept])
    statistic, tested = _largest_standardised(
        found.logits[:, None], found.variances[:, None], found.correlation
    )
    generator = np.random.default_rng(seed)
    variances, degrees = found.variances[:, None], found.degrees[:, None]
    logits = _correlated_normal(generator, found.correlation, draws) * np.sqrt(variances)
    chi_squared = generator.chisquare(degrees, logits.shape)
    null, _ = _largest_standardised(logits, variances * chi_squared / degrees, found.correlation)

    def ends(group: int, quantile: float) -> tuple[float, float]:
        half = quantile * math.sqrt(found.variances[group])
        low, high = expit(found.logits[group] + np.array([-half, half]))
        value = float(found.values[group])
        return min(float(low), value), max(float(high), value)

    return _gap(judged, found.values, found.correlation, ends, float(statistic[0]), tested, null)


def _renumbered(
    groups: np.ndarray, clusters: np.ndarray, classes: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the judged groups, and each image's place among them, -1 for one of another group."""
    if not groups.size:
        return np.empty(0, np.int64), groups
    judged = judged_groups(groups, clusters, classes)
    places = np.full(int(groups.max()) + 1, -1, np.int64)
    places[judged] = np.arange(judged.size)
    return judged, places[groups]


def _no_gap(judged: np.ndarray) -> Gap:
    nan = math.nan
    return Gap(tuple(judged.tolist()), None, nan, nan, nan, nan, None, TOO_FEW_GROUPS)


def _gap(
    judged: np.ndarray,
    values: np.ndarray,
    correlation: np.ndarray,
    ends: Callable[[int, float], tuple[float, float]],
    statistic: float,
    tested: tuple[int, int],
    null: np.ndarray,
) -> Gap:
    """Return the gap; ``ends`` gives the interval of a group at a quantile, ``null`` the draws."""
    high, low = int(np.argmax(values)), int(np.argmin(values))
    if high == low:  # all equal
        low = 1
    quantile = max(float(np.quantile(null, LEVEL, method="higher")), Z)
    interval = joined_interval(
        (float(values[high]), float(values[low])),
        (ends(high, quantile), ends(low, quantile)),
        float(correlation[high, low]),
    )
    exceeded = np.count_nonzero(null >= statistic - _ROUNDING)
    first, second = sorted(tested, key=lambda group: -values[group])
    return Gap(
        judged=tuple(judged.tolist()),
        pair=(int(judged[high]), int(judged[low])),
        estimate=float(values[high] - values[low]),
        low=interval[0],
        high=interval[1],
        p=float((1 + exceeded) / (1 + null.size)),
        tested=(int(judged[first]), int(judged[second])),
    )


def _largest_standardised(
    estimates: Float64[np.ndarray, "groups draws"],
    variances: Float64[np.ndarray, "groups draws"],
    correlation: Float64[np.ndarray, "groups groups"],
) -> tuple[Float64[np.ndarray, " draws"], tuple[int, int]]:
    """Return the largest difference in standard errors over all pairs of groups, in each draw.

    The pair is that of the first draw.
    """
    largest = np.full(estimates.shape[1], -1.0)
    pair = (0, 1)
    deviations = np.sqrt(variances)
    for first, second in itertools.combinations(range(estimates.shape[0]), 2):
        spread = variances[first] + variances[second]
        if correlation[first, second]:
            spread -= 2 * correlation[first, second] * deviations[first] * deviations[second]
        # Without spread all estimates are 0, or all are 1, and no pair differs.
        squared = (estimates[first] - estimates[second]) ** 2 / np.where(spread > 0, spread, 1)
        if squared[0] > largest[0]:
            pair = (first, second)
        np.maximum(largest, squared, out=largest)
    return np.sqrt(largest), pair


def _correlated_normal(
    generator: np.random.Generator, correlation: Float64[np.ndarray, "groups groups"], draws: int
) -> Float64[np.ndarray, "groups draws"]:
    independent = generator.standard_normal((correlation.shape[0], draws))
    if np.array_equal(correlation, np.eye(correlation.shape[0])):
        return independent
    scales, axes = np.linalg.eigh(correlation)
    # The limit on correlations may leave a slightly negative scale.
    return (axes * np.sqrt(np.maximum(scales, 0))) @ independent


def _binomial_draws(
    trials: Int64[np.ndarray, " groups"],
    share: float,
    correlation: Float64[np.ndarray, "groups groups"],
    draws: int,
    seed: int,
) -> Float64[np.ndarray, "groups draws"]:
    """Return drawn successes of each group; those of correlated groups through a normal copula."""
    generator = np.random.default_rng(seed)
    if np.array_equal(correlation, np.eye(trials.size)):
        drawn = generator.binomial(trials[:, None], share, (trials.size, draws))
        return drawn.astype(np.float64)
    drawn = ndtr(_correlated_normal(generator, correlation, draws))
    for group, total in enumerate(trials.tolist()):
        cumulative = binom.cdf(np.arange(total + 1), total, share)
        drawn[group] = np.minimum(np.searchsorted(cumulative, drawn[group]), total)
    return drawn
