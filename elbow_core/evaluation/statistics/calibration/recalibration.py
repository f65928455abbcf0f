"""Recalibration on the log-odds scale: temperature, slope and intercept."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from elbow_core.evaluation.statistics.calibration.logistic import fit_logistic
from elbow_core.evaluation.statistics.confusion import NO_NEGATIVES, NO_POSITIVES
from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs

# A float32 sigmoid reaches 0 and 1, whose logits are infinite.
CLIP = 1e-7
TEMPERATURE_LIMITS = (0.05, 20.0)


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """Slope and intercept on the log-odds scale; perfect calibration has slope 1 and intercept 0.

    ``intercept`` is calibration in the large (slope fixed at 1). Both are nan, with a reason, where
    a class is absent; the slope also where all scores are equal or separate the classes.
    """

    slope: float
    intercept: float
    reason: str = ""


def fit_temperature(labels: Labels, scores: Float[np.ndarray, " n"]) -> float:
    """Fit the temperature that minimises the cross-entropy when it divides the log-odds.

    A temperature above 1 means overconfident scores, below 1 underconfident ones. It stays within
    `TEMPERATURE_LIMITS` and ends at a limit if the scores separate the classes. Raises ValueError
    where a class is absent or a score is not finite.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML (2017).
    """
    positive, scores = checked_inputs(labels, scores)
    if positive.all() or not positive.any():
        raise ValueError("a temperature needs images of both classes")
    # Positive where the score is on the label's side, so that the loss is log(1 + exp(-margin)).
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
    """Divide the log-odds of the scores by ``temperature``; the ranking does not change."""
    return expit(log_odds(scores) / temperature)


def log_odds(scores: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return the logits of the scores, clipped to 1e-7 .. 1 - 1e-7."""
    return np.asarray(logit(np.clip(np.asarray(scores, np.float64), CLIP, 1 - CLIP)))


def calibration_line(labels: Labels, scores: Float[np.ndarray, " n"]) -> CalibrationLine:
    """Regress the label on the log-odds by logistic regression; also calibration in the large.

    Reference: Cox, Biometrika 45:562 (1958); Van Calster et al., BMC Medicine 17:230 (2019).
    """
    positive, scores = checked_inputs(labels, scores)
    nan = float("nan")
    if not positive.any() or positive.all():
        reason = NO_NEGATIVES if positive.all() else NO_POSITIVES
        return CalibrationLine(nan, nan, reason)
    x = log_odds(scores)
    offset_only = fit_logistic(np.ones((x.size, 1)), positive, x)
    line = fit_logistic(np.stack([np.ones_like(x), x], axis=1), positive)
    if offset_only is None:
        return CalibrationLine(nan, nan, "the regression does not converge")
    if line is None:
        return CalibrationLine(nan, float(offset_only[0]), _reason_without_slope(positive, x))
    return CalibrationLine(float(line[1]), float(offset_only[0]))


def fit_recalibration(
    labels: Labels, scores: Float[np.ndarray, " n"], with_slope: bool
) -> tuple[float, float] | None:
    """Return intercept and slope of the log-odds that fit the labels best; the slope may be 1.

    None where a class is absent or the likelihood has no maximum, as for scores that separate the
    classes.

    Reference: Janssen et al., Journal of Clinical Epidemiology 61:76 (2008), methods 2 and 3.
    """
    positive, scores = checked_inputs(labels, scores)
    if positive.all() or not positive.any():
        return None
    x = log_odds(scores)
    if not with_slope:
        found = fit_logistic(np.ones((x.size, 1)), positive, x)
        return None if found is None else (float(found[0]), 1.0)
    found = fit_logistic(np.stack([np.ones_like(x), x], axis=1), positive)
    return None if found is None else (float(found[0]), float(found[1]))


def recalibrate(
    scores: Float[np.ndarray, " n"], intercept: float, slope: float
) -> Float64[np.ndarray, " n"]:
    """Return the scores whose log-odds are ``intercept`` plus ``slope`` times those given."""
    return expit(intercept + slope * log_odds(scores))


def _reason_without_slope(positive: np.ndarray, x: np.ndarray) -> str:
    if np.ptp(x) == 0:
        return "all scores are equal"
    injured, normal = x[positive], x[~positive]
    if injured.min() >= normal.max() or injured.max() <= normal.min():
        return "the scores separate the classes"
    return "the regression does not converge"
