"""Intervals: published examples, scikit-learn on every draw, finite differences, and edges."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from elbow_core.evaluation.statistics import (
    binary_metrics,
    clusters_of,
    decision_intervals,
    metric_intervals,
    proportion_interval,
    score_intervals,
    wilson,
)
from elbow_core.evaluation.statistics.bootstrap import resample_decisions, resample_scores
from elbow_core.evaluation.statistics.calibration import expected_calibration_error
from elbow_core.evaluation.statistics.clusters import effective_size, multiplicities


def simulated(seed: int, patients: int, images: int = 1, levels: int = 0, sharpness: float = 1.8):
    """Simulate labels, scores and patients; ``levels`` > 0 rounds the scores, which makes ties."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(patients), images)
    labels = rng.random(cluster.size) < 0.45
    latent = np.where(labels, 1.1, -1.1) + rng.normal(size=cluster.size) / math.sqrt(2)
    latent += rng.normal(size=patients)[cluster] / math.sqrt(2)
    scores = 1 / (1 + np.exp(-sharpness * 2.2 * latent))
    return labels, np.round(scores * levels) / levels if levels else scores, cluster


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17:857 (1998), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_the_published_examples(successes, total, low, high):
    assert wilson(successes, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy(counts):
    expected = binomtest(*counts).proportion_ci(method="wilson")
    assert wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_no_images_is_nan():
    assert all(map(math.isnan, wilson(0, 0)))


def test_an_image_without_a_patient_is_its_own_cluster():
    clusters = clusters_of(np.array(["b", "", "a", "b", ""]))
    assert clusters[0] == clusters[3]
    assert len(set(clusters.tolist())) == 4


def test_one_image_per_patient_gives_wilsons_interval():
    rng = np.random.default_rng(0)
    success = rng.random(90) < 0.8
    interval = proportion_interval(success, rng.permutation(90), "")
    assert (interval.low, interval.high) == pytest.approx(wilson(int(success.sum()), 90))


def test_copies_of_an_image_do_not_raise_the_effective_size():
    success = np.random.default_rng(1).random(500) < 0.8
    size = effective_size(np.tile(success, 3), np.tile(np.arange(500), 3))
    assert size == pytest.approx(500, rel=0.01)
    # All right: without spread, full dependence is assumed.
    assert effective_size(np.ones(30, bool), np.tile(np.arange(10), 3)) == pytest.approx(10)


def test_effective_size_follows_the_dependence_within_patients():
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(4000), 2)
    of_patient, of_image = rng.random(4000)[cluster], rng.random(8000)
    for dependence in (0.0, 0.5):
        shared = rng.random(4000)[cluster] < dependence
        success = np.where(shared, of_patient, of_image) < 0.8
        assert effective_size(success, cluster) == pytest.approx(8000 / (1 + dependence), rel=0.06)


@pytest.mark.parametrize("levels", [0, 4])
def test_every_draw_equals_the_metrics_of_the_drawn_images(levels):
    labels, scores, cluster = simulated(3, 15, 2, levels)
    decisions = resample_decisions(labels, scores >= 0.5, cluster, 40, seed=5)
    areas, gaps = resample_scores(labels, scores, cluster, 40, seed=5)
    (times,) = multiplicities(15, 40, 5, 0)
    for draw in range(40):
        rows = np.repeat(np.arange(30), times[draw][cluster])
        expected = binary_metrics(labels[rows], scores[rows])
        for name, resampled in (decisions | areas).items():
            assert resampled.draws[draw] == pytest.approx(expected[name], abs=1e-12, nan_ok=True)
        assert np.abs(gaps.draws[draw]).sum() == pytest.approx(expected["ece"], abs=1e-12)
    estimate = binary_metrics(labels, scores)
    for name, resampled in (decisions | areas).items():
        assert resampled.estimate == pytest.approx(estimate[name], abs=1e-12)
    ece = expected_calibration_error(labels, scores)
    assert np.abs(gaps.estimate).sum() == pytest.approx(ece, abs=1e-12)


def test_draws_do_not_depend_on_the_size_of_a_block():
    whole = np.concatenate(list(multiplicities(7, 50, 1, 0)))
    blocks = list(multiplicities(7, 50, 1, 20_000))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert (whole.sum(axis=1) == 7).all()


@pytest.mark.parametrize("levels", [0, 5])
def test_influence_equals_the_change_by_one_more_patient(levels):
    labels, scores, cluster = simulated(4, 300, 1, levels)
    areas, _ = resample_scores(labels, scores, cluster, 2, seed=0)
    for name, resampled in areas.items():
        for patient in range(0, 300, 29):
            rows = np.append(np.repeat(np.arange(300), 20), patient)
            change = binary_metrics(labels[rows], scores[rows])[name] - resampled.estimate
            assert resampled.influence[patient] == pytest.approx(20 * change, rel=0.02, abs=1e-5)


def test_interval_of_the_brier_score_is_nearly_scipys():
    labels, scores, cluster = simulated(5, 400)
    expected = bootstrap(
        ((scores - labels) ** 2,), np.mean, n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    ours = score_intervals(labels, scores, cluster, draws=4000)["brier"]
    width = expected.high - expected.low
    assert ours.low == pytest.approx(expected.low, abs=0.05 * width)
    assert ours.high == pytest.approx(expected.high, abs=0.05 * width)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 25), st.integers(1, 3), st.integers(1, 6))
def test_interval_is_within_the_metrics_range_or_has_a_reason(seed, patients, images, levels):
    labels, scores, cluster = simulated(seed, patients, images, levels)
    for name, interval in metric_intervals(labels, scores, cluster, draws=60).items():
        if math.isnan(interval.low):
            assert math.isnan(interval.high)
            assert interval.reason
        else:
            lowest = -1 if name in ("kappa", "mcc") else 0
            assert lowest <= interval.low <= interval.high <= 1 + 1e-12


def test_order_of_images_changes_no_proportion_and_a_seed_fixes_the_rest():
    labels, scores, cluster = simulated(6, 60, 2)
    here = metric_intervals(labels, scores, cluster, draws=100, seed=3)
    assert here == metric_intervals(labels, scores, cluster, draws=100, seed=3)
    order = np.random.default_rng(0).permutation(labels.size)
    there = metric_intervals(labels[order], scores[order], cluster[order], draws=100, seed=3)
    for name, interval in here.items():
        assert (there[name].low, there[name].high) == pytest.approx(
            (interval.low, interval.high), abs=1e-9
        )


def test_dependent_images_widen_every_interval():
    labels, scores, cluster = simulated(7, 150)
    once = metric_intervals(labels, scores, cluster)
    labels, scores, cluster = (np.tile(column, 4) for column in (labels, scores, cluster))
    clustered = metric_intervals(labels, scores, cluster)
    naive = metric_intervals(labels, scores, np.arange(600))
    for name, interval in clustered.items():
        width = interval.high - interval.low
        assert width == pytest.approx(once[name].high - once[name].low, rel=0.15)
        assert width > 1.3 * (naive[name].high - naive[name].low)


def test_faultless_model_has_wilson_but_no_bootstrap_interval():
    labels = np.array([True, False] * 20)
    intervals = metric_intervals(labels, np.where(labels, 0.9, 0.1), np.arange(40))
    assert intervals["accuracy"].high == 1
    assert 0.9 < intervals["accuracy"].low < 1
    for name in ("auroc", "f1", "kappa", "mcc", "balanced_accuracy", "average_precision"):
        assert math.isnan(intervals[name].low)
        assert "every bootstrap draw" in intervals[name].reason


def test_one_patient_gives_no_bootstrap_interval():
    labels, scores, _ = simulated(8, 20)
    intervals = metric_intervals(labels, scores, np.zeros(20, np.int64))
    assert intervals["f1"].reason == "fewer than two patients of a class"
    assert intervals["brier"].reason == "fewer than two patients"


def test_calibration_error_of_0_has_no_interval_and_a_true_reason():
    labels = np.array([0, 1, 0, 1, 1, 1] * 5)
    scores = np.array([0.5, 0.5, 0.75, 0.75, 0.75, 0.75] * 5)
    assert expected_calibration_error(labels, scores) == 0
    interval = score_intervals(labels, scores, np.arange(30), draws=100)["ece"]
    assert math.isnan(interval.low)
    assert interval.reason.startswith("the error is 0")


@given(st.floats(0, 1), st.floats(1e-3, 1e6))
def test_wilson_of_an_effective_number_is_within_0_and_1(share, total):
    low, high = wilson(share * total, total)
    assert 0 <= low <= high <= 1


def test_rare_class_leaves_metrics_undefined_in_many_draws():
    labels = np.zeros(100, bool)
    labels[:2] = True
    predicted = np.zeros(100, bool)
    predicted[[0, 2]] = True
    interval = decision_intervals(labels, predicted, np.arange(100))["mcc"]
    assert "undefined in" in interval.reason


@pytest.mark.parametrize("sharpness", [1.0, 1.8])
def test_calibration_error_interval_contains_0_only_for_calibrated_scores(sharpness):
    rng = np.random.default_rng(9)
    true = rng.normal(0, 2, 4000)
    labels = rng.random(4000) < 1 / (1 + np.exp(-true))
    scores = 1 / (1 + np.exp(-sharpness * true))
    interval = score_intervals(labels, scores, np.arange(4000), draws=500)["ece"]
    assert (interval.low == 0) == (sharpness == 1)
