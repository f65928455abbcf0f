"""Calibration against scikit-learn and scipy, and its invariances."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from elbow_core.evaluation.statistics import auroc
from elbow_core.evaluation.statistics.calibration import (
    apply_temperature,
    calibration_line,
    fit_temperature,
    log_odds,
    reliability_bins,
)
from elbow_core.evaluation.statistics.calibration.recalibration import TEMPERATURE_LIMITS


def simulated(seed: int, sharpness: float, shift: float = 0.0, n: int = 2000):
    """Sample labels from the true probability, and distort the log-odds of the scores."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 2, n)
    labels = (rng.random(n) < expit(true)).astype(int)
    return labels, expit(sharpness * true + shift)


@pytest.mark.parametrize("bins", [5, 10])
def test_bins_equal_scikit_learn(bins):
    labels, scores = simulated(0, 1.5)
    scores = np.round(scores, 1)  # many scores on an edge
    fraction, mean_score = calibration_curve(labels, scores, n_bins=bins)
    ours = reliability_bins(labels, scores, bins)
    np.testing.assert_allclose(ours.injured_fraction[ours.count > 0], fraction)
    np.testing.assert_allclose(ours.mean_score[ours.count > 0], mean_score)
    assert ours.count.sum() == labels.size
    assert ours.injured.sum() == labels.sum()


def test_empty_bin_is_nan():
    ours = reliability_bins(np.array([0, 1]), np.array([0.05, 0.95]))
    assert np.isnan(ours.mean_score[1:-1]).all()
    assert ours.injured_fraction[[0, -1]].tolist() == [0, 1]


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 2.5])
def test_temperature_equals_a_general_optimiser_and_undoes_the_sharpening(sharpness):
    labels, scores = simulated(1, sharpness)
    found = minimize(
        lambda t: log_loss(labels, expit(log_odds(scores) / t[0])), [1.0], method="Nelder-Mead"
    )
    temperature = fit_temperature(labels, scores)
    assert temperature == pytest.approx(found.x[0], rel=1e-3)
    assert temperature == pytest.approx(sharpness, rel=0.1)
    cooled = apply_temperature(scores, temperature)
    assert fit_temperature(labels, cooled) == pytest.approx(1, abs=1e-4)
    assert auroc(labels, cooled) == pytest.approx(auroc(labels, scores), abs=1e-12)


def test_temperature_of_swapped_classes_is_the_same():
    labels, scores = simulated(2, 1.7)
    swapped = fit_temperature(1 - labels, 1 - scores)
    assert swapped == pytest.approx(fit_temperature(labels, scores), rel=1e-6)


def test_separated_classes_end_at_the_limit():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.0, 0.4, 0.6, 1.0])
    assert fit_temperature(labels, scores) == pytest.approx(TEMPERATURE_LIMITS[0], rel=1e-3)


def test_temperature_needs_both_classes():
    with pytest.raises(ValueError, match="both classes"):
        fit_temperature(np.array([1, 1]), np.array([0.5, 0.6]))


@pytest.mark.parametrize(("sharpness", "shift"), [(0.5, 0.0), (1.0, -1.0), (2.0, 0.7)])
def test_line_equals_logistic_regression_without_penalty(sharpness, shift):
    labels, scores = simulated(3, sharpness, shift)
    regression = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    regression.fit(log_odds(scores)[:, None], labels)
    ours = calibration_line(labels, scores)
    assert ours.slope == pytest.approx(float(regression.coef_[0, 0]), rel=1e-5)
    in_the_large = minimize(
        lambda a: log_loss(labels, expit(log_odds(scores) + a[0])), [0.0], method="Nelder-Mead"
    )
    assert ours.intercept == pytest.approx(in_the_large.x[0], abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "scores", "reason"),
    [
        ([1, 1], [0.2, 0.7], "no normal"),
        ([0, 0], [0.2, 0.7], "no injured"),
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], "separate"),
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9], "separate"),
        ([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.9], "separate"),
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], "all scores are equal"),
    ],
)
def test_line_without_a_maximum_is_nan_with_a_reason(labels, scores, reason):
    line = calibration_line(np.array(labels), np.array(scores))
    assert math.isnan(line.slope)
    assert reason in line.reason
