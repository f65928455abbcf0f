"""Intervals of differences: published examples, definitions, and the range from -1 to 1."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from elbow_core.evaluation.statistics import clusters_of, wilson
from elbow_core.evaluation.statistics.clusters import effective_size
from elbow_core.evaluation.statistics.differences import (
    area_covariance,
    area_interval,
    delong,
    mcnemar,
)
from elbow_core.evaluation.statistics.differences.paired_interval import paired_interval

COUNTS = st.integers(0, 40)


def paired(both: int, only_first: int, only_second: int, neither: int):
    first = np.repeat([True, True, False, False], [both, only_first, only_second, neither])
    second = np.repeat([True, False, True, False], [both, only_first, only_second, neither])
    return first, second


@pytest.mark.parametrize(
    ("counts", "low", "high", "digits"),
    [
        # Newcombe, Statistics in Medicine 17:2635 (1998), table II, method 10.
        ((36, 12, 2, 0), 0.0569, 0.3404, 4),
        ((18, 12, 2, 18), 0.0562, 0.3290, 4),
        # Altman et al., Statistics with Confidence (2000), table 6.2.
        ((14, 5, 0, 22), 0.011, 0.226, 3),
        # Fagerland, Lydersen and Laake, Statistics in Medicine 33:2850 (2014): airway
        # hyper-responsiveness.
        ((1, 1, 7, 12), -0.507, -0.026, 3),
    ],
)
def test_paired_interval_equals_the_published_examples(counts, low, high, digits):
    found = mcnemar(*paired(*counts))
    assert (round(found.low, digits), round(found.high, digits)) == (low, high)


def newcombe(both: int, only_first: int, only_second: int, neither: int) -> tuple[float, float]:
    """Method 10 as Altman et al. (2000), p. 52, write it."""
    n = both + only_first + only_second + neither
    p1, p2 = (both + only_first) / n, (both + only_second) / n
    (l1, u1), (l2, u2) = wilson(both + only_first, n), wilson(both + only_second, n)
    a = (both + only_first) * (only_second + neither) * (both + only_second)
    a *= only_first + neither
    b = both * neither - only_first * only_second
    c = b - n / 2 if b > n / 2 else 0 if b >= 0 else b
    phi = c / math.sqrt(a) if a else 0
    below = (p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2
    above = (p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2
    return p1 - p2 - math.sqrt(below), p1 - p2 + math.sqrt(above)


@settings(max_examples=60, deadline=None)
@given(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda counts: sum(counts) > 1))
def test_paired_interval_equals_its_formula_and_changes_sign_with_the_models(counts):
    first, second = paired(*counts)
    here, there = mcnemar(first, second), mcnemar(second, first)
    assert (here.low, here.high) == pytest.approx(newcombe(*counts), abs=1e-12)
    assert (here.low, here.high) == pytest.approx((-there.high, -there.low), abs=1e-12)
    assert -1 <= here.low <= here.estimate <= here.high <= 1
    assert here.low < here.high
    assert here.reason == ""


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 20), st.integers(1, 4), st.sampled_from([0, 0.5, 1]))
def test_interval_of_a_difference_is_within_its_range(seed, patients, images, share):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(patients), images)
    first, second = rng.random((2, cluster.size)) < [[share], [rng.random()]]
    found = mcnemar(first, second, cluster)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    assert 0 <= found.p <= 1
    labels = rng.permutation(np.arange(cluster.size) % 2)
    scores = np.round(rng.random((2, cluster.size)) + [[share], [-share]] * labels, 1)
    areas = delong(labels, scores[0], scores[1], cluster)
    if math.isnan(areas.low):
        assert areas.reason
        assert math.isnan(areas.high)
    else:
        assert -1 <= areas.low <= areas.estimate <= areas.high <= 1


def test_all_right_against_one_of_eight_stays_below_1():
    found = mcnemar(np.ones(8, bool), np.arange(8) == 0)
    assert found.estimate == 0.875
    assert (round(found.low, 3), round(found.high, 3)) == (0.401, 0.978)
    everything = mcnemar(np.ones(8, bool), np.zeros(8, bool))
    assert everything.high == 1
    assert 0 < everything.low < 1


def test_equal_decisions_have_an_interval_around_0():
    right = np.array([True] * 30 + [False] * 10)
    found = mcnemar(right, right)
    assert (found.estimate, found.p, found.reason) == (0, 1, "")
    assert found.low < 0 < found.high
    clustered = mcnemar(right, right, np.arange(40) // 2)
    assert clustered.low <= 0 <= clustered.high


def test_clustered_interval_of_independent_images_is_nearly_newcombes():
    rng = np.random.default_rng(3)
    shared = rng.random(1500) < 0.5
    first, second = rng.random((2, 1500)) < [[0.85], [0.8]]
    second = np.where(shared, first, second)
    cluster = np.append(np.arange(1499), 0)  # one patient has two images
    clustered = paired_interval(first, second, cluster)
    assert clustered == pytest.approx(paired_interval(first, second, np.arange(1500)), abs=5e-4)


def test_copies_of_every_image_do_not_narrow_the_clustered_interval():
    rng = np.random.default_rng(4)
    first, second = rng.random((2, 200)) < [[0.8], [0.7]]
    once = paired_interval(first, second, np.arange(200))
    thrice = paired_interval(np.tile(first, 3), np.tile(second, 3), np.tile(np.arange(200), 3))
    naive = paired_interval(np.tile(first, 3), np.tile(second, 3), np.arange(600))
    assert thrice == pytest.approx(once, abs=0.01)
    assert naive[1] - naive[0] < 0.7 * (thrice[1] - thrice[0])


def test_clustered_interval_is_the_sum_of_squares_of_its_parts():
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(30), 3)
    first, second = rng.random((2, 90)) < [[0.8], [0.6]]
    shares = first.mean(), second.mean()
    residuals = [
        np.array([np.sum(right[cluster == k] - share) for k in range(30)])
        for right, share in zip((first, second), shares, strict=True)
    ]
    correlation = np.corrcoef(residuals[0], residuals[1])[0, 1]
    sizes = effective_size(first, cluster), effective_size(second, cluster)
    a = shares[0] - wilson(shares[0] * sizes[0], sizes[0])[0]
    b = wilson(shares[1] * sizes[1], sizes[1])[1] - shares[1]
    low = shares[0] - shares[1] - math.sqrt(a**2 + b**2 - 2 * correlation * a * b)
    assert paired_interval(first, second, cluster)[0] == pytest.approx(low, abs=1e-12)


@pytest.mark.parametrize("n", [1, 3])
def test_one_patient_has_no_interval_and_the_reason_is_true(n):
    found = mcnemar(np.ones(n, bool), np.zeros(n, bool), np.zeros(n, int))
    assert found.estimate == 1
    assert math.isnan(found.low)
    assert found.reason == "fewer than two patients"


def test_area_difference_is_walds_where_that_is_within_the_range_and_fishers_elsewhere():
    labels = np.array([0, 1] * 6)
    first = np.where(labels, 0.9, 0.1) + np.arange(12) / 1000
    first[0] = 0.95
    second = 1 - first
    areas, covariance = area_covariance(labels, np.stack([first, second]))
    estimate = areas[0] - areas[1]
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    z = norm.ppf(0.975)
    assert estimate + z * error > 1
    found = delong(labels, first, second)
    half = z * error / (1 - estimate**2)
    expected = np.tanh([np.arctanh(estimate) - half, np.arctanh(estimate) + half])
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert -1 < found.low < estimate < found.high < 1
    labels = np.arange(100) % 2
    scores = np.random.default_rng(6).normal(labels * np.array([[2.0], [0.5]]))
    areas, covariance = area_covariance(labels, scores)
    error = math.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    wald = delong(labels, scores[0], scores[1])
    assert wald.high == pytest.approx(areas[0] - areas[1] + z * error, abs=1e-12)
    assert wald.low == pytest.approx(areas[0] - areas[1] - z * error, abs=1e-12)


def test_models_that_rank_alike_but_decide_differently_are_not_called_equal():
    labels = np.array([0, 1] * 8)
    low = np.where(labels, 0.3, 0.2) + np.arange(16) / 1000
    found = delong(labels, low, np.sqrt(low))
    assert found.reason == "the scores rank the injured and the normal images alike"
    assert (found.estimate, found.p) == (0, 1)
    decisions = mcnemar((low >= 0.5) == labels, (np.sqrt(low) >= 0.5) == labels)
    assert decisions.estimate == -0.5
    assert -1 <= decisions.low < decisions.high < 0


def test_areas_whose_difference_cancels_within_every_patient_are_not_called_alike():
    # Each patient has two injured images; the models exchange their scores.
    labels = np.array([1, 1, 1, 1, 0, 0, 0])
    cluster = clusters_of(np.array(["a", "a", "b", "b", "c", "d", "e"]))
    first = np.array([0.9, 0.25, 0.8, 0.15, 0.1, 0.2, 0.3])
    second = np.array([0.25, 0.9, 0.15, 0.8, 0.1, 0.2, 0.3])
    found = delong(labels, first, second, cluster)
    assert found.estimate == pytest.approx(0, abs=1e-12)
    assert found.reason == "the difference has no variance"


def test_one_image_that_two_models_rank_differently_among_many_is_a_difference():
    n = 50_000
    labels = np.arange(2 * n) % 2
    first = np.arange(2 * n) / (2 * n) + labels
    second = first.copy()
    second[0] = first[1] + 1e-6 / n  # one normal image above one injured one
    found = delong(labels, first, second)
    assert found.estimate == pytest.approx(1 / n**2, rel=1e-4)
    assert found.reason == ""
    # One of n images of each class has another share, 1 / n: the variance is 2 / n^4.
    assert found.p == pytest.approx(2 * norm.sf(math.sqrt(0.5)), abs=0.01)


def test_area_of_equal_scores_has_no_interval():
    assert all(map(math.isnan, area_interval(np.array([0, 1] * 10), np.full(20, 0.4))))


@pytest.mark.slow
@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize(("share", "patients"), [(0.9, 60), (0.8, 150)])
def test_interval_of_a_difference_covers_it_in_95_of_100_studies(images, share, patients):
    """4000 studies of models that are 5 % apart; images of a patient, and models, are alike."""
    levels = norm.ppf([[share], [share - 0.05]])
    cluster = np.repeat(np.arange(patients), images)
    covered = 0
    for seed in range(4000):
        rng = np.random.default_rng(seed)
        latent = sum(
            math.sqrt(part) * rng.normal(size=size)[..., of]
            for part, size, of in (
                (0.2, patients, cluster),
                (0.2, (2, patients), cluster),
                (0.3, cluster.size, slice(None)),
                (0.3, (2, cluster.size), slice(None)),
            )
        )
        first, second = latent < levels
        low, high = paired_interval(first, second, cluster)
        covered += low <= 0.05 <= high
    assert 0.94 <= covered / 4000 <= 0.97
