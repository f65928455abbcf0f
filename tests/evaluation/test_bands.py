"""Bands of curves against their definitions and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_curve

from elbow_core.evaluation.statistics import (
    THRESHOLD_PROBABILITIES,
    binary_metrics,
    net_benefit_band,
    roc_and_precision_bands,
    treat_all,
)
from elbow_core.evaluation.statistics.bands import GRID
from tests.support.scores import simulated_scores


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.sampled_from([0, 4]))
def test_curves_on_the_grid_equal_scikit_learns_curves(seed, n, levels):
    labels, scores = simulated_scores(seed, n, levels)
    roc, precision = roc_and_precision_bands(labels, scores, np.arange(n), draws=5)
    false_rate, true_rate, _ = roc_curve(labels, scores, drop_intermediate=False)
    # From the highest threshold down, without the point (0, 1) that scikit-learn appends.
    precisions, recall = (curve[:-1][::-1] for curve in precision_recall_curve(labels, scores)[:2])
    for index, x in enumerate(GRID):
        assert roc.y[index] == pytest.approx(true_rate[false_rate <= x + 1e-9].max())
        # Of several thresholds with this recall the highest counts: the first along the curve.
        assert precision.y[index] == pytest.approx(precisions[recall >= x - 1e-9][0])


def test_bands_contain_their_curve_and_narrow_with_more_patients():
    width = []
    for n in (200, 3200):
        labels, scores = simulated_scores(1, n)
        for band in roc_and_precision_bands(labels, scores, np.arange(n), draws=400):
            inner = slice(10, 90)
            assert (band.low[inner] <= band.y[inner] + 0.02).all()
            assert (band.high[inner] >= band.y[inner] - 0.02).all()
            width.append(np.mean(band.high[inner] - band.low[inner]))
    assert width[2] < 0.35 * width[0]
    assert width[3] < 0.35 * width[1]


def test_one_class_has_no_curve():
    roc, precision = roc_and_precision_bands(
        np.ones(5, int), np.linspace(0, 1, 5), np.arange(5), draws=5
    )
    assert np.isnan(roc.y).all()
    assert np.isnan(precision.low).all()


def test_net_benefit_equals_its_definition():
    labels, scores = simulated_scores(2, 300)
    band = net_benefit_band(labels, scores, np.arange(300), draws=200)
    for chance in (0.05, 0.2, 0.5, 0.8):
        found = binary_metrics(labels, scores, chance)
        expected = (found["tp"] - found["fp"] * chance / (1 - chance)) / found["n"]
        index = int(np.argmin(np.abs(THRESHOLD_PROBABILITIES - chance)))
        assert band.y[index] == pytest.approx(expected)
        assert band.low[index] < expected < band.high[index]
    everyone = net_benefit_band(labels, np.ones(300), np.arange(300), draws=2)
    np.testing.assert_allclose(everyone.y, treat_all(float(labels.mean())), atol=1e-12)
    np.testing.assert_array_equal(
        net_benefit_band(labels, np.zeros(300), np.arange(300), draws=2).y, 0
    )
