"""DeLong, McNemar and Holm against published examples, scipy, scikit-learn and brute force."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2, false_discovery_control
from sklearn.metrics import roc_auc_score

from elbow_core.evaluation.statistics import auroc
from elbow_core.evaluation.statistics.differences import (
    area_covariance,
    area_interval,
    delong,
    holm,
    mcnemar,
)
from elbow_core.evaluation.statistics.differences.comparison import mcnemar_mid_p
from tests.support.mcnemar import mcnemar_exact, mcnemar_statistic
from tests.support.scores import simulated_scores

# Albumin, total protein, K-G score and benefit from surgery of the 43 complete patients of DeLong,
# DeLong and Clarke-Pearson (1988), as printed in SAS/STAT User's Guide, LOGISTIC procedure,
# "Comparing Receiver Operating Characteristic Curves", whose output gives the numbers below.
OVARIAN_CANCER = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1   3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1   3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0   4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1   2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1   2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""


def ovarian_cancer() -> tuple[np.ndarray, np.ndarray]:
    """Labels; scores of the K-G score (low is good), total protein and albumin."""
    table = np.array(OVARIAN_CANCER.split(), np.float64).reshape(-1, 4)
    return table[:, 3].astype(int), np.stack([10 - table[:, 2], table[:, 1], table[:, 0]])


def test_areas_and_errors_equal_the_published_example():
    areas, covariance = area_covariance(*ovarian_cancer())
    np.testing.assert_allclose(areas, [0.7258, 0.6478, 0.7366], atol=5e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), [0.1028, 0.1000, 0.0927], atol=5e-5)


def test_comparisons_equal_the_published_example():
    labels, (kg, protein, albumin) = ovarian_cancer()
    first, second = delong(labels, protein, kg), delong(labels, albumin, kg)
    assert (round(first.estimate, 4), round(first.p, 4)) == (-0.0780, 0.4561)
    assert (round(first.low, 4), round(first.high, 4)) == (-0.2830, 0.1271)
    assert (round(second.estimate, 4), round(second.p, 4)) == (0.0108, 0.9102)
    assert (round(second.low, 4), round(second.high, 4)) == (-0.1761, 0.1976)


def test_joint_test_of_three_areas_equals_the_published_example():
    areas, covariance = area_covariance(*ovarian_cancer())
    contrast = np.array([[1.0, -1, 0], [1, 0, -1]])
    difference = contrast @ areas
    statistic = difference @ np.linalg.inv(contrast @ covariance @ contrast.T) @ difference
    assert statistic == pytest.approx(2.5340, abs=5e-5)
    assert chi2.sf(statistic, 2) == pytest.approx(0.2817, abs=5e-5)


def brute_force_covariance(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    injured, normal = scores[:, labels == 1], scores[:, labels == 0]
    wins = (injured[:, :, None] > normal[:, None]) + (injured[:, :, None] == normal[:, None]) / 2
    return (
        np.cov(wins.mean(axis=2)) / injured.shape[1] + np.cov(wins.mean(axis=1)) / normal.shape[1]
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(2, 12), st.integers(2, 6))
def test_covariance_equals_the_definition_over_all_pairs(seed, injured, normal, levels):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([1, 0], [injured, normal]))
    scores = rng.integers(0, levels, (3, labels.size)).astype(float)
    areas, covariance = area_covariance(labels, scores)
    np.testing.assert_allclose(covariance, brute_force_covariance(labels, scores), atol=1e-12)
    np.testing.assert_allclose(areas, [roc_auc_score(labels, s) for s in scores], atol=1e-12)


def paired_scores(seed: int, patients: int, images: int, dependence: float, advantage: float = 0.0):
    """Two models' scores of ``images`` images of each patient, labels differing within patients."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(patients), images)
    labels = rng.integers(0, 2, cluster.size)
    noise = math.sqrt(1 - dependence) * rng.normal(size=(2, cluster.size))
    shared = math.sqrt(dependence) * rng.normal(size=(2, patients))[:, cluster]
    return labels, labels * np.array([[1.0 + advantage], [1.0]]) + noise + shared, cluster


def test_order_of_images_and_monotone_transforms_change_nothing_and_exchange_changes_the_sign():
    labels, scores, cluster = paired_scores(0, 60, 3, 0.5, 0.3)
    here = delong(labels, scores[0], scores[1], cluster)
    order = np.random.default_rng(1).permutation(labels.size)
    permuted = delong(labels[order], scores[0, order], scores[1, order], cluster[order])
    transformed = delong(labels, np.exp(scores[0]), scores[1] ** 3, cluster)
    relabelled = delong(1 - labels, -scores[0], -scores[1], cluster + 7)
    exchanged = delong(labels, scores[1], scores[0], cluster)
    for other in (permuted, transformed, relabelled):
        assert (other.estimate, other.p) == pytest.approx((here.estimate, here.p), abs=1e-12)
    assert exchanged.estimate == pytest.approx(-here.estimate, abs=1e-12)
    assert exchanged.p == pytest.approx(here.p, abs=1e-12)
    assert (exchanged.low, exchanged.high) == pytest.approx((-here.high, -here.low), abs=1e-12)


def test_duplicated_images_of_a_patient_add_no_evidence():
    labels, scores, cluster = paired_scores(2, 80, 1, 0.0, 0.4)
    first, second = np.tile(scores, 2)
    once = delong(labels, scores[0], scores[1], cluster)
    twice = delong(np.tile(labels, 2), first, second, np.tile(cluster, 2))
    assert twice.p == pytest.approx(once.p, abs=1e-9)
    naive = delong(np.tile(labels, 2), first, second)
    assert naive.p < once.p


@pytest.mark.parametrize(
    ("labels", "first", "second", "reason"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], [0.2, 0.1, 0.3], "fewer than two"),
        ([1, 0, 0], [0.1, 0.2, 0.3], [0.2, 0.1, 0.3], "fewer than two"),
        ([1, 1, 0, 0], [0.8, 0.9, 0.1, 0.2], [0.1, 0.2, 0.8, 0.9], "no variance"),
    ],
)
def test_area_difference_without_a_variance_is_nan_with_a_reason(labels, first, second, reason):
    found = delong(np.array(labels), np.array(first), np.array(second))
    assert math.isnan(found.p)
    assert reason in found.reason


def test_equal_scores_have_difference_0_and_p_1():
    labels, scores, _ = paired_scores(3, 40, 1, 0.0)
    same = delong(labels, scores[0], scores[0])
    assert (same.estimate, same.p) == (0, 1)


def test_area_interval_is_within_0_and_1_and_contains_the_area():
    labels, scores = simulated_scores(4, 80)
    low, high = area_interval(labels, scores, np.arange(80))
    assert 0 < low < auroc(labels, scores) < high < 1
    assert all(map(math.isnan, area_interval(labels, labels.astype(float))))


def test_mcnemar_equals_the_published_examples():
    # Fagerland, Lydersen and Laake (2013), table 1: airway hyper-responsiveness of 21 children.
    assert mcnemar_exact(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_mid_p(1, 7) == pytest.approx(0.0391, abs=5e-5)
    assert chi2.sf(mcnemar_statistic(1, 7), 1) == pytest.approx(0.0339, abs=5e-5)
    # Agresti, Categorical Data Analysis: approval of a president in two polls of 1600.
    assert mcnemar_statistic(150, 86) == pytest.approx(17.3559, abs=5e-5)
    assert chi2.sf(mcnemar_statistic(150, 86), 1) == pytest.approx(3.099e-5, abs=5e-9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_scipys_binomial_test(first, second):
    if first + second:
        expected = binomtest(first, first + second).pvalue
        assert mcnemar_exact(first, second) == pytest.approx(expected, rel=1e-9)
        assert mcnemar_mid_p(first, second) < mcnemar_exact(first, second)
    assert mcnemar_exact(first, second) == mcnemar_exact(second, first)


def test_mcnemar_of_images_counts_those_that_one_model_gets_right():
    first = np.array([True] * 9 + [False] * 3 + [True] * 10)
    second = np.array([False] * 9 + [True] * 3 + [True] * 10)
    found = mcnemar(first, second)
    assert found.estimate == pytest.approx(6 / 22)
    assert found.p == mcnemar_mid_p(9, 3)
    assert found.low < found.estimate < found.high


def test_clustered_mcnemar_of_single_images_is_nearly_mcnemars_statistic():
    rng = np.random.default_rng(4)
    first, second = rng.random((2, 2000)) < [[0.9], [0.89]]
    first, second = np.append(first, first[0]), np.append(second, second[0])
    cluster = np.append(np.arange(2000), 0)  # one patient has two images
    gains, losses = int(np.sum(first & ~second)), int(np.sum(~first & second))
    found = mcnemar(first, second, cluster)
    assert found.test == "Obuchowski's McNemar"
    assert found.p == pytest.approx(chi2.sf(mcnemar_statistic(gains, losses), 1), rel=0.05)


def test_models_right_on_the_same_images_do_not_differ():
    right = np.array([True, False, True, True])
    assert mcnemar(right, right).p == 1
    assert mcnemar(right, right, np.array([0, 0, 1, 1])).p == 1


def test_holm_equals_its_definition_and_is_at_least_benjamini_hochberg():
    # Holm (1979): each p times the number of hypotheses left, never below an earlier one.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert math.isnan(holm([math.nan, 0.02])[0])
    assert holm([math.nan, 0.02])[1] == 0.02
    p = np.random.default_rng(5).random(20) ** 3
    assert np.all(np.array(holm(list(p.tolist()))) >= false_discovery_control(p) - 1e-12)


@pytest.mark.slow
def test_clustered_delong_keeps_its_level_where_the_plain_one_does_not():
    """2000 simulations of equal models; images of a patient are alike in score and in label."""

    def level(clustered: bool) -> float:
        found = 0
        for seed in range(2000):
            rng = np.random.default_rng(seed)
            cluster = np.repeat(np.arange(100), 4)
            labels = (rng.random(100) < 0.5).astype(int)[cluster]
            scores = labels + rng.normal(size=(2, 100))[:, cluster] + rng.normal(size=(2, 400)) / 2
            found += delong(labels, scores[0], scores[1], cluster if clustered else None).p < 0.05
        return found / 2000

    assert 0.04 < level(clustered=True) < 0.06
    assert level(clustered=False) > 0.2
