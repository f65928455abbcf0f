"""Whether a score of 0.8 is right eight times in ten: bins, recalibration, temperature."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from elbow_core.evaluation.statistics.metrics import (
    ECE_BINS,
    NO_NEGATIVES,
    NO_POSITIVES,
    Labels,
    calibration_bins,
    checked,
    ratio,
)

# A float32 sigmoid reaches 0 and 1, whose logits are infinite.
CLIP = 1e-7
TEMPERATURE_LIMITS = (0.05, 20.0)


@dataclass(frozen=True, slots=True)
class CalibrationBins:
    """Equal-width bins of P(injury); mean and fraction of an empty bin are nan."""

    count: Int64[np.ndarray, " bins"]
    injured: Int64[np.ndarray, " bins"]
    mean_score: Float64[np.ndarray, " bins"]
    injured_fraction: Float64[np.ndarray, " bins"]


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """Recalibration on the log-odds scale; perfect calibration has slope 1 and intercept 0.

    ``intercept`` is calibration in the large (slope held at 1); both are nan, with a reason, where
    a class is absent or the scores separate the classes.
    """

    slope: float
    intercept: float
    reason: str = ""


def reliability(
    labels: Labels, scores: Float[np.ndarray, " n"], bins: int = ECE_BINS
) -> CalibrationBins:
    """Mean score and injured fraction by bin, as sklearn.calibration.calibration_curve has them."""
    positive, scores = checked(labels, scores)
    bin_of = calibration_bins(scores, bins)
    count = np.bincount(bin_of, minlength=bins)
    injured = np.bincount(bin_of[positive], minlength=bins)
    return CalibrationBins(
        count=count,
        injured=injured,
        mean_score=ratio(np.bincount(bin_of, weights=scores, minlength=bins), count),
        injured_fraction=ratio(injured, count),
    )


def fit_temperature(labels: Labels, scores: Float[np.ndarray, " n"]) -> float:
    """The temperature whose division of the log-odds gives the least cross-entropy.

    Above 1 the scores are too sure of themselves, below 1 not sure enough. Fitted on validation
    and kept within `TEMPERATURE_LIMITS`, which is where it ends if the scores separate the classes.
    Raises ValueError where a class is absent or a score is nan.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML (2017).
    """
    positive, scores = checked(labels, scores)
    if positive.all() or not positive.any():
        raise ValueError("a temperature needs images of both classes")
    # Positive where the score leans to the label's side, so that the loss is log(1 + exp(-margin)).
    margin = np.where(positive, 1, -1) * log_odds(scores)

    def cross_entropy(log_temperature: float) -> float:
        return float(np.logaddexp(0, -margin / np.exp(log_temperature)).mean())

    low, high = np.log(TEMPERATURE_LIMITS)
    found = minimize_scalar(
        cross_entropy, bounds=(low, high), method="bounded", options={"xatol": 1e-8}
    )
    return float(np.exp(found.x))


def apply_temperature(
    scores: Float[np.ndarray, " n"], temperature: float
) -> Float64[np.ndarray, " n"]:
    """Scores whose log-odds are divided by ``temperature``; the order of images stays."""
    return expit(log_odds(scores) / temperature)


def log_odds(scores: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Logits of scores clipped to 1e-7 .. 1 - 1e-7."""
    return np.asarray(logit(np.clip(np.asarray(scores, np.float64), CLIP, 1 - CLIP)))


def calibration_line(labels: Labels, scores: Float[np.ndarray, " n"]) -> CalibrationLine:
    """Slope of a logistic regression of the label on the log-odds, and calibration in the large.

    Reference: Cox, Biometrika 45:562 (1958); Van Calster et al., BMC Medicine 17:230 (2019).
    """
    positive, scores = checked(labels, scores)
    nan = float("nan")
    if not positive.any() or positive.all():
        reason = NO_NEGATIVES if positive.all() else NO_POSITIVES
        return CalibrationLine(nan, nan, reason)
    x = log_odds(scores)
    offset_only = _logistic(np.ones((x.size, 1)), positive, x)
    line = _logistic(np.stack([np.ones_like(x), x], axis=1), positive, np.zeros_like(x))
    if offset_only is None:
        return CalibrationLine(nan, nan, "the regression does not converge")
    if line is None:
        return CalibrationLine(nan, float(offset_only[0]), "the scores separate the classes")
    return CalibrationLine(float(line[1]), float(offset_only[0]))


def _logistic(
    design: Float64[np.ndarray, "n terms"], positive: np.ndarray, offset: np.ndarray
) -> Float64[np.ndarray, " terms"] | None:
    """Maximum likelihood by Newton's method with halved steps; None where there is no maximum."""

    def loss(weights: np.ndarray) -> float:
        return float(
            np.logaddexp(0, -np.where(positive, 1, -1) * (design @ weights + offset)).sum()
        )

    weights = np.zeros(design.shape[1])
    for _ in range(100):
        fitted = expit(design @ weights + offset)
        curvature = design.T @ (design * (fitted * (1 - fitted))[:, None])
        if np.linalg.cond(curvature) > 1e12:
            return None
        step = np.linalg.solve(curvature, design.T @ (positive - fitted))
        size = 1.0
        while loss(weights + size * step) > loss(weights) and size > 1e-6:
            size /= 2
        weights = weights + size * step
        if np.abs(step).max() < 1e-9:
            return weights
        if np.abs(weights).max() > 1e4:
            return None
    return None
