"""95 % intervals: Wilson's for proportions, the bootstrap over patients for the other metrics."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.stats import norm
from scipy.stats import t as student

from elbow_core.evaluation.statistics.bootstrap import (
    Resampled,
    ResampledGaps,
    resample_decisions,
    resample_scores,
)
from elbow_core.evaluation.statistics.clusters import DRAWS, effective_size
from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs

TAILS = (0.025, 0.975)
Z = float(norm.ppf(TAILS[1]))
MOST_UNDEFINED = 0.05
BISECTIONS = 16


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval and its method; both ends are nan, with a reason, where there is none."""

    low: float
    high: float
    method: str
    reason: str = ""


def no_interval(method: str, reason: str) -> Interval:
    """Return an interval without ends, and the reason."""
    return Interval(math.nan, math.nan, method, reason)


def wilson(successes: float | int, total: float | int, z: float = Z) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion; nan, nan for a total of 0.

    ``total`` may be an effective number of images, which need not be whole. ``z`` is the normal
    quantile, by default that of 95 %.

    Reference: Wilson, Journal of the American Statistical Association 22:209 (1927).
    """
    if total <= 0:
        return math.nan, math.nan
    proportion = successes / total
    centre = (proportion + z**2 / (2 * total)) / (1 + z**2 / total)
    spread = z**2 / (4 * total**2) + proportion * (1 - proportion) / total
    half = z / (1 + z**2 / total) * math.sqrt(spread)
    # With no successes, or all, the end is exact; the formula would round.
    low = 0.0 if successes == 0 else max(centre - half, 0.0)
    return low, 1.0 if successes == total else min(centre + half, 1.0)


def proportion_interval(
    successes: Bool[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    undefined: str,
    weights: Float64[np.ndarray, " n"] | None = None,
) -> Interval:
    """Return Wilson's interval on the effective number of images.

    With one image per patient this is the plain Wilson interval. With ``weights`` it is that of the
    weighted share. Reference: `effective_size`; Wilson (1927).
    """
    if not successes.size:
        return no_interval("wilson", undefined)
    size = effective_size(successes, clusters, weights)
    share = 1.0 if successes.all() else float(np.average(successes, weights=weights))
    low, high = wilson(share * size, size)
    return Interval(low, high, "wilson")


def bca(resampled: Resampled, patients: int, counted: str = "patients of a class") -> Interval:
    """Return the bias-corrected and accelerated bootstrap interval, widened for few patients.

    The normal quantile becomes Student's with ``patients`` - 1 degrees of freedom, times
    sqrt(patients / (patients - 1)); ``patients`` counts those of the scarcer class, or, of a metric
    that needs no classes, all; ``counted`` says which.

    References: Efron, Journal of the American Statistical Association 82:171 (1987); Hesterberg,
    The American Statistician 69:371 (2015).
    """
    method = "bca"
    defined = resampled.draws[~np.isnan(resampled.draws)]
    undefined = 1 - defined.size / resampled.draws.size
    if math.isnan(resampled.estimate):
        return no_interval(method, "the metric is undefined")
    if patients < 2:
        return no_interval(method, f"fewer than two {counted}")
    if undefined > MOST_UNDEFINED:
        return no_interval(method, f"undefined in {undefined:.0%} of the bootstrap draws")
    if np.ptp(defined) < 1e-12:
        return no_interval(method, "the same in every bootstrap draw")
    below = np.count_nonzero(defined < resampled.estimate)
    ties = np.count_nonzero(defined == resampled.estimate)
    # Clipped away from 0 and 1, whose quantiles are infinite.
    share = np.clip((below + ties / 2) / defined.size, *_open_unit(defined.size))
    bias = norm.ppf(share)
    spread = np.sum(resampled.influence**2)
    acceleration = np.sum(resampled.influence**3) / (6 * spread**1.5) if spread > 0 else 0.0
    quantile = student.ppf(TAILS, patients - 1) * math.sqrt(patients / (patients - 1))
    moved = bias + (bias + quantile) / (1 - acceleration * (bias + quantile))
    low, high = np.quantile(defined, norm.cdf(moved))
    return Interval(float(low), float(high), method)


def _open_unit(draws: int) -> tuple[float, float]:
    return 1 / (draws + 1), draws / (draws + 1)


def calibration_error_interval(gaps: ResampledGaps) -> Interval:
    """Return the interval of the expected calibration error by inverting a bootstrap test.

    The plain bootstrap is biased here: sampling noise makes every absolute gap positive, and does
    so again on every draw. The test's hypotheses are multiples of the estimated gaps. Each is
    combined with the noise of the draws, and the interval holds the hypotheses that the observed
    statistic does not reject. The statistic is the sum of sqrt(gap^2 - variance), which noise alone
    hardly changes. A lower end of 0 means that the scores may be perfectly calibrated. Ends above
    1, the greatest error there is, are 1.

    Reference: Carpenter, Journal of the Royal Statistical Society B 61:159 (1999).
    """
    method = "inverted bootstrap"
    noise = gaps.draws - gaps.estimate
    variance = noise.var(axis=0)
    if not variance.any():
        return no_interval(method, "the same in every bootstrap draw")
    if not gaps.estimate.any():
        return no_interval(method, "the error is 0, so that it has no multiples to test")

    def denoised_error(gap: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(gap**2 - variance, 0)).sum(axis=1)

    observed = float(denoised_error(gaps.estimate[None])[0])
    error = float(np.abs(gaps.estimate).sum())
    below, above = (
        _first_multiple(
            lambda multiple, tail=tail, reached=reached: reached(
                np.quantile(denoised_error(multiple * gaps.estimate + noise), tail), observed
            )
        )
        for tail, reached in ((TAILS[1], np.greater_equal), (TAILS[0], np.greater))
    )
    return Interval(min(below * error, 1.0), min(above * error, 1.0), method)


def _first_multiple(reached: Callable[[float], bool]) -> float:
    """Return the least multiple from 0 to 64 for which the monotone ``reached`` is true."""
    if reached(0.0):
        return 0.0
    least, most = 0.0, 1.0
    while most < 64 and not reached(most):
        least, most = most, 2 * most
    for _ in range(BISECTIONS):
        middle = (least + most) / 2
        least, most = (least, middle) if reached(middle) else (middle, most)
    return most


def decision_intervals(
    labels: Labels,
    predicted: Labels,
    clusters: Int64[np.ndarray, " n"],
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the interval of every metric of the 2 x 2 matrix; ``sensitivity`` is ``recall``.

    Wilson's for accuracy, precision, recall, specificity and NPV; the bootstrap's for F1, kappa,
    MCC and balanced accuracy.
    """
    positive, called = labels.astype(bool), predicted.astype(bool)
    proportions = {
        "accuracy": (positive == called, np.ones_like(positive)),
        "precision": (positive, called),
        "recall": (called, positive),
        "sensitivity": (called, positive),
        "specificity": (~called, ~positive),
        "npv": (~positive, ~called),
    }
    found = {
        name: proportion_interval(success[of], clusters[of], "the metric is undefined")
        for name, (success, of) in proportions.items()
    }
    patients = scarcer_patients(positive, clusters)
    resampled = resample_decisions(positive, called, clusters, draws, seed)
    return found | {
        name: bca(resampled[name], patients) for name in ("f1", "kappa", "mcc", "balanced_accuracy")
    }


def score_intervals(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the intervals of AUROC, average precision, Brier score and calibration error."""
    positive, scores = checked_inputs(labels, scores)
    resampled, gaps = resample_scores(positive, scores, clusters, draws, seed)
    patients = scarcer_patients(positive, clusters)
    found = {name: bca(value, patients) for name, value in resampled.items()}
    found["brier"] = bca(resampled["brier"], np.unique(clusters).size, "patients")
    return found | {"ece": calibration_error_interval(gaps)}


def scarcer_patients(positive: Bool[np.ndarray, " n"], clusters: Int64[np.ndarray, " n"]) -> int:
    """Count the patients of each class; return the smaller count."""
    return min(np.unique(clusters[positive]).size, np.unique(clusters[~positive]).size)


def metric_intervals(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    threshold: float = 0.5,
    draws: int = DRAWS,
    seed: int = 0,
) -> Mapping[str, Interval]:
    """Return the interval of each metric of `binary_metrics`, under the same name."""
    decisions = decision_intervals(labels, scores >= threshold, clusters, draws, seed)
    return decisions | score_intervals(labels, scores, clusters, draws, seed)
