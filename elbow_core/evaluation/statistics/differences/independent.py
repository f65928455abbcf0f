"""Differences between two independent sets of images, such as an internal and an external one."""

import math

import numpy as np
from jaxtyping import Bool, Float, Int64, Integer
from scipy.stats import norm

from elbow_core.evaluation.statistics.clusters import effective_size
from elbow_core.evaluation.statistics.differences.comparison import Difference, area_covariance
from elbow_core.evaluation.statistics.differences.paired_interval import joined_interval
from elbow_core.evaluation.statistics.intervals import wilson


def difference_of_areas(
    first: tuple[Integer[np.ndarray, " n"], Float[np.ndarray, " n"], Int64[np.ndarray, " n"]],
    second: tuple[Integer[np.ndarray, " m"], Float[np.ndarray, " m"], Int64[np.ndarray, " m"]],
) -> Difference:
    """Return the AUROC of the first set minus that of the second, which shares no patient with it.

    Args:
        first: labels, scores and the patient of each image.
        second: the same of the other set.

    The variance is the sum of DeLong's variances, by patients; the interval is Wald's within -1 to
    1, and the test compares with the normal distribution. Both are nan, with a reason, where a
    variance is undefined.

    References: Hanley and McNeil, Radiology 143:29 (1982), for independent areas; Obuchowski,
    Biometrics 53:567 (1997), for clusters.
    """
    test, nan = "z (independent areas)", math.nan
    areas, variances = [], []
    for labels, scores, clusters in (first, second):
        found, covariance = area_covariance(labels, scores[None], clusters)
        areas.append(float(found[0]))
        variances.append(float(covariance[0, 0]))
    estimate, variance = areas[0] - areas[1], sum(variances)
    if math.isnan(variance):
        return Difference(estimate, nan, nan, nan, test, "fewer than two patients of a class")
    if not variance > 0:
        return Difference(estimate, nan, nan, nan, test, "the areas have no variance")
    error = math.sqrt(variance)
    half = float(norm.ppf(0.975)) * error
    p = float(2 * norm.sf(abs(estimate) / error))
    return Difference(estimate, max(estimate - half, -1.0), min(estimate + half, 1.0), p, test)


def difference_of_proportions(
    first: tuple[Bool[np.ndarray, " n"], Int64[np.ndarray, " n"]],
    second: tuple[Bool[np.ndarray, " m"], Int64[np.ndarray, " m"]],
) -> Difference:
    """Return the first proportion minus the second, of sets that share no patient.

    Args:
        first: whether each image is a success, and its patient.
        second: the same of the other set.

    The interval joins Wilson's intervals of both, on effective numbers of images
    (`effective_size`), and cannot leave -1 to 1. With one image per patient it is Newcombe's method
    10 for independent proportions. There is no test: p is nan.

    References: Newcombe, Statistics in Medicine 17:873 (1998); Zou and Donner, Statistics in
    Medicine 27:1693 (2008).
    """
    method, nan = "Newcombe (independent)", math.nan
    if not (first[0].size and second[0].size):
        return Difference(nan, nan, nan, nan, method, "no image of the class in one of the sets")
    shares, ends = [], []
    for successes, clusters in (first, second):
        share, size = float(successes.mean()), effective_size(successes, clusters)
        shares.append(share)
        ends.append(wilson(share * size, size))
    low, high = joined_interval((shares[0], shares[1]), (ends[0], ends[1]), 0.0)
    return Difference(shares[0] - shares[1], low, high, nan, method)
