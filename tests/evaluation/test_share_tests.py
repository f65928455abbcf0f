"""Tests of a share over patients, and the sequence of thresholds, against brute force."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from elbow_core.evaluation.statistics.abstention.share_tests import (
    STAKES,
    betting_p_values,
    binomial_p_values,
    fallback,
    log_wealth,
)

ALPHA = Fraction(1, 10)


def test_binomial_p_is_that_of_scipy():
    called, wrong = np.array([0, 10, 100, 58, 59, 400]), np.array([0, 0, 3, 0, 0, 40])
    found = binomial_p_values(called, wrong, ALPHA)
    expected = binom.cdf(wrong, called, 0.1)
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-12)
    assert found[0] == 1


def wealth_of(patients: list[tuple[int, int, int]], alpha: Fraction) -> np.ndarray:
    """Return each stake's wealth after patients (images, called, wrong), by exact products."""
    found = []
    for stake in STAKES.tolist():
        product = Fraction(1)
        for images, called, wrong in patients:
            excess = Fraction(wrong - alpha * called) / images
            product *= 1 - Fraction(stake) / (1 - alpha) * excess
        found.append(float(product))
    return np.array(found)


patients_of_a_study = st.lists(
    st.integers(1, 5).flatmap(
        lambda images: st.integers(0, images).flatmap(
            lambda called: st.tuples(st.just(images), st.just(called), st.integers(0, called))
        )
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=50, deadline=None)
@given(patients_of_a_study, st.integers(1, 19))
def test_wealth_is_the_product_over_patients_in_any_order(patients, twentieths):
    alpha = Fraction(twentieths, 20)
    images, called, wrong = np.array(patients, np.int64).T
    found = log_wealth(called[:, None], wrong[:, None], images, alpha)
    expected = wealth_of(patients, alpha)
    np.testing.assert_allclose(np.exp(found[:, 0]), expected, rtol=1e-9)
    p = betting_p_values(found)
    assert p[0] == pytest.approx(min(1.0, 1 / expected.mean()))
    backwards = log_wealth(called[::-1, None], wrong[::-1, None], images[::-1], alpha)
    np.testing.assert_allclose(found, backwards, rtol=1e-9, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(patients_of_a_study, st.lists(st.integers(1, 9), min_size=30, max_size=30))
def test_mean_wealth_is_at_most_one_just_if_the_share_is_at_least_the_wanted_one(kinds, chances):
    """Exactly, over a population of kinds of patients; the unit is the patient."""
    weight = [Fraction(chance, sum(chances[: len(kinds)])) for chance in chances[: len(kinds)]]
    pairs = list(zip(weight, kinds, strict=True))
    wrong = sum((w * Fraction(kind[2], kind[0]) for w, kind in pairs), Fraction())
    called = sum((w * Fraction(kind[1], kind[0]) for w, kind in pairs), Fraction())
    if not 0 < wrong < called:
        return
    share = wrong / called
    for alpha, most in ((share, 1), (share * Fraction(9, 10), 1), (share / 2, 1)):
        means = np.sum([float(w) * wealth_of([kind], alpha) for w, kind in pairs], axis=0)
        assert (means <= most + 1e-12).all()
    above = share + (1 - share) / 10
    means = np.sum([float(w) * wealth_of([kind], above) for w, kind in pairs], axis=0)
    assert (means > 1).all()


def test_copies_of_an_image_are_no_further_evidence():
    """Three equal images of a patient count like one, where every patient counts once."""
    called, wrong = np.ones((200, 1), np.int64), (np.arange(200) < 4).astype(np.int64)[:, None]
    ones = np.ones(200, np.int64)
    once = betting_p_values(log_wealth(called, wrong, ones, ALPHA))
    thrice = betting_p_values(log_wealth(3 * called, 3 * wrong, 3 * ones, ALPHA))
    np.testing.assert_allclose(once, thrice, rtol=1e-9)
    more, more_wrong = (np.repeat(part, 3, axis=0) for part in (called, wrong))
    as_if_independent = betting_p_values(
        log_wealth(more, more_wrong, np.ones(600, np.int64), ALPHA)
    )
    assert as_if_independent[0] < thrice[0] / 1000
    assert binomial_p_values(called.sum(axis=0), wrong.sum(axis=0), ALPHA)[0] < once[0]


def test_level_is_carried_on_by_rejections_alone():
    p_values = np.array([0.004, 0.009, 0.02, 0.001, 0.011])
    rejected, levels = fallback(p_values, np.array([0.01, 0.0, 0.005, 0.0, 0.01]))
    np.testing.assert_allclose(levels, [0.01, 0.01, 0.015, 0.0, 0.01])
    assert rejected.tolist() == [True, True, False, False, False]


def test_hypothesis_without_a_level_is_never_rejected():
    rejected, _ = fallback(np.zeros(3), np.array([0.0, 0.0, 0.01]))
    assert rejected.tolist() == [False, False, True]


def test_true_hypotheses_are_rejected_with_at_most_the_error_however_they_depend():
    generator = np.random.default_rng(3)
    weights = np.where(np.arange(12) % 3 == 0, 0.05 / 4, 0)
    for is_true in itertools.islice(itertools.product((False, True), repeat=12), 1, None, 397):
        true = np.array(is_true)
        for dependent in (False, True):
            trials = 400
            drawn = generator.random((trials, 1 if dependent else 12))
            p_values = np.where(true, drawn, 0.0)
            broken = sum(fallback(row, weights)[0][true].any() for row in p_values)
            # Of 400 trials, 34 exceed the mean 20 by more than three standard deviations.
            assert broken <= 34
