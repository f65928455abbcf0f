"""Comparison of two models on the same images: DeLong's and McNemar's tests."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.special import expit, logit
from scipy.stats import binom, chi2, norm

from elbow_core.evaluation.statistics.differences.paired_interval import paired_interval
from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs
from elbow_core.evaluation.statistics.ranking import placements, row_ranks

Z = float(norm.ppf(0.975))
# A difference's variance as a share of the two variances; below it there is only rounding.
NO_VARIANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """First model minus second: estimate, 95 % interval, two-sided p; nan has a reason."""

    estimate: float
    low: float
    high: float
    p: float
    test: str
    reason: str = ""


def area_covariance(
    labels: Labels,
    scores: Float[np.ndarray, "models n"],
    clusters: Int64[np.ndarray, " n"] | None = None,
) -> tuple[Float64[np.ndarray, " models"], Float64[np.ndarray, "models models"]]:
    """Return the AUROC of each model and the covariance of the areas; nan where a class is absent.

    ``clusters`` is the patient of each image; images of one patient may be dependent. With one
    image per patient this is DeLong's covariance. The variance is nan where only one patient has
    images of a class.

    References: DeLong, DeLong and Clarke-Pearson, Biometrics 44:837 (1988); Sun and Xu, IEEE Signal
    Processing Letters 21:1389 (2014) for the ranks; Obuchowski, Biometrics 53:567 (1997) for
    clusters.
    """
    positive, _ = checked_inputs(labels, scores[0])
    injured, normal = np.count_nonzero(positive), np.count_nonzero(~positive)
    models = scores.shape[0]
    if not injured or not normal:
        return np.full(models, np.nan), np.full((models, models), np.nan)
    below, above = placements(positive, scores)
    areas = below.mean(axis=1)
    if clusters is None:
        clusters = np.arange(positive.size)
    _, cluster = np.unique(clusters, return_inverse=True)
    patients = int(cluster.max()) + 1
    sums = np.zeros((2, models, patients))
    for model in range(models):
        for side, (component, of) in enumerate(((below, positive), (above, ~positive))):
            sums[side, model] = np.bincount(
                cluster[of], weights=component[model] - areas[model], minlength=patients
            )
    with_injured = np.unique(cluster[positive]).size
    with_normal = np.unique(cluster[~positive]).size
    by_injured = _spread(sums[0], sums[0], with_injured) / injured**2
    by_normal = _spread(sums[1], sums[1], with_normal) / normal**2
    by_both = _spread(sums[0], sums[1], patients) / (injured * normal)
    return areas, by_injured + by_normal + by_both + by_both.T


def _spread(first: np.ndarray, second: np.ndarray, clusters: int) -> np.ndarray:
    return first @ second.T * (clusters / (clusters - 1) if clusters > 1 else math.nan)


def delong(
    labels: Labels,
    first: Float[np.ndarray, " n"],
    second: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"] | None = None,
) -> Difference:
    """Test the difference of two correlated areas under the ROC curve; see `area_covariance`.

    The interval is Wald's, as DeLong et al. give it. Where that would leave -1 to 1 it is computed
    on the scale of Fisher's z, the difference's inverse hyperbolic tangent, by the delta method.

    Reference for that scale: Newson, Stata Journal 2:45 (2002), for Somers' D; a difference of
    areas is half a difference of two such.
    """
    scores = np.stack([first, second])
    areas, covariance = area_covariance(labels, scores, clusters)
    estimate = float(areas[0] - areas[1])
    single = float(covariance[0, 0] + covariance[1, 1])
    variance = single - 2 * float(covariance[0, 1])
    nan, test = math.nan, "DeLong"
    if math.isnan(estimate) or math.isnan(variance):
        return Difference(estimate, nan, nan, nan, test, "fewer than two patients of a class")
    if variance <= NO_VARIANCE * single:
        if _rank_alike(labels.astype(bool), scores):
            reason = "the scores rank the injured and the normal images alike"
            return Difference(0.0, nan, nan, 1.0, test, reason)
        return Difference(estimate, nan, nan, nan, test, "the difference has no variance")
    error = math.sqrt(variance)
    p = float(2 * norm.sf(abs(estimate) / error))
    low, high = estimate - Z * error, estimate + Z * error
    if low < -1 or high > 1:
        half = Z * error / (1 - estimate**2)
        low, high = np.tanh(np.arctanh(estimate) + np.array([-half, half])).tolist()
    return Difference(estimate, low, high, p, test)


def _rank_alike(positive: np.ndarray, scores: np.ndarray) -> bool:
    """Say whether two models order every pair of an injured and a normal image alike."""
    ranks = row_ranks(scores)
    for of in (positive, ~positive):
        # The ranks among the other class.
        among = ranks[:, of] - row_ranks(scores[:, of])
        if not np.array_equal(among[0], among[1]):
            return False
    return True


def area_interval(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"] | None = None,
) -> tuple[float, float]:
    """Return the 95 % interval of one AUROC from `area_covariance`, on the logit scale.

    Both ends are nan where a class has fewer than two patients, where the area is 0 or 1, and where
    it has no variance, as for equal scores.

    Reference: Pepe, The Statistical Evaluation of Medical Tests (2003), section 5.2.
    """
    areas, covariance = area_covariance(labels, scores[None], clusters)
    area, variance = float(areas[0]), float(covariance[0, 0])
    # The least variance of 100 000 images is above 1e-20; less is rounding.
    if not variance > 1e-24 or not 0 < area < 1:
        return math.nan, math.nan
    half = Z * math.sqrt(variance) / (area * (1 - area))
    low, high = expit(logit(area) + np.array([-half, half]))
    return float(low), float(high)


def mcnemar_mid_p(only_first: int, only_second: int) -> float:
    """Two-sided mid-p of McNemar's test from the two discordant counts; 1 where both are 0.

    Reference: Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91 (2013).
    """
    fewer, total = min(only_first, only_second), only_first + only_second
    if total == 0:
        return 1.0
    if only_first == only_second:
        return float(1 - binom.pmf(fewer, total, 0.5) / 2)
    return float(2 * binom.cdf(fewer, total, 0.5) - binom.pmf(fewer, total, 0.5))


def mcnemar(
    first_right: Bool[np.ndarray, " n"],
    second_right: Bool[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"] | None = None,
) -> Difference:
    """Test the difference of the proportions of images that two models get right.

    The test is McNemar's mid-p with one image per patient, else Obuchowski's test for clusters. The
    interval is that of `paired_interval`, Newcombe's or its form for clusters. It does not invert
    the test: near p = 0.05 it may contain 0 where the test rejects it.

    Reference: Obuchowski, Statistics in Medicine 17:1495 (1998), as simplified by Yang et al.,
    Biometrical Journal 52:638 (2010).
    """
    n, nan = first_right.size, math.nan
    if not n:
        return Difference(nan, nan, nan, nan, "McNemar mid-p", "no image of the class")
    difference = first_right.astype(np.int64) - second_right
    _, cluster = np.unique(np.arange(n) if clusters is None else clusters, return_inverse=True)
    by_patient = np.bincount(cluster, weights=difference.astype(np.float64))
    estimate = float(difference.mean())
    patients = by_patient.size
    if patients == n:
        test = "McNemar mid-p"
        p = mcnemar_mid_p(int(np.sum(difference > 0)), int(np.sum(difference < 0)))
    else:
        test, p = "Obuchowski's McNemar", _clustered_p(by_patient)
    if patients < 2:
        return Difference(estimate, nan, nan, p, test, "fewer than two patients")
    return Difference(estimate, *paired_interval(first_right, second_right, cluster), p, test)


def _clustered_p(by_patient: Float64[np.ndarray, " patients"]) -> float:
    """Return Obuchowski's p from the images that each patient adds to the difference."""
    if not by_patient.any():
        return 1.0
    patients = by_patient.size
    correction = patients / (patients - 1) if patients > 1 else math.nan
    return float(chi2.sf(by_patient.sum() ** 2 / np.sum(by_patient**2) / correction, 1))
