"""The promise of thresholds that leave images to the reader, over simulated studies."""

from fractions import Fraction

import numpy as np
import pytest

from elbow_core.evaluation.statistics import NONE_INJURED
from elbow_core.evaluation.statistics.abstention import (
    Abstention,
    choose_abstention,
    patient_weights,
)
from elbow_core.evaluation.statistics.abstention.choice import CANDIDATES
from elbow_core.evaluation.statistics.abstention.share_tests import binomial_p_values
from tests.support.abstention_data import Population, population

STUDIES = 1000
CONFIDENCE = 0.95


def broken(found: Abstention, of: Population, unit: str, wanted: tuple[float, float]) -> bool:
    """Return whether a share over the whole population is above the wanted one."""
    normal_below = 0.0 if found.normal is None else found.normal.threshold
    injury_from = NONE_INJURED if found.injury is None else found.injury.threshold
    shares = of.shares(normal_below, injury_from, unit)
    return any(share > most for share, most in zip(shares, wanted, strict=True))


def least_favourable(of: Population, unit: str) -> tuple[float, float]:
    """Return wanted shares just below the true ones at thresholds where testing starts."""
    missed, _ = of.shares(0.7, 0.7, unit)
    _, false_alarms = of.shares(0.4, 0.4, unit)
    return 0.99 * missed, 0.99 * false_alarms


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patients", "most_images", "unit"),
    [(400, 4, "patient"), (400, 4, "image"), (400, 1, "patient")],
)
def test_at_most_five_percent_of_studies_break_the_promise(patients, most_images, unit):
    of = population(20_000, most_images, seed=most_images)
    generator = np.random.default_rng(0)
    wanted = least_favourable(of, unit)
    breaks = answered = naive = 0
    for _ in range(STUDIES):
        labels, scores, clusters = of.study(generator, patients)
        bound = most_images if unit == "image" else None
        found = choose_abstention(labels, scores, clusters, *wanted, CONFIDENCE, bound)
        breaks += broken(found, of, unit, wanted)
        answered += found != Abstention(None, None)
        weights = np.ones(labels.size) if bound else patient_weights(clusters)
        threshold = naive_threshold(labels, scores, weights, wanted[0])
        naive += of.shares(threshold, 1, unit)[0] > wanted[0]
    print(f"{breaks} broken, {answered} answered, {naive} broken by the share of the sample")
    assert breaks <= (1 - CONFIDENCE) * STUDIES
    # The studies are no empty ones, and the share of the sample alone promises nothing.
    assert answered >= STUDIES / 2
    assert naive > STUDIES / 4


def naive_threshold(
    labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, wanted: float
) -> float:
    """Return the highest threshold at which the share in the sample itself is the wanted one."""
    order = np.argsort(scores)
    missed = np.cumsum((labels * weights)[order]) / np.cumsum(weights[order])
    kept = np.flatnonzero(missed <= wanted)
    return float(np.nextafter(scores[order][kept[-1]], 2)) if kept.size else 0.0


@pytest.mark.slow
def test_tests_of_all_thresholds_together_keep_their_level():
    """The score says nothing, and the share is just above the wanted one at every threshold."""
    generator, wanted = np.random.default_rng(1), Fraction(1, 5)
    patients, breaks, uncorrected = 400, 0, 0
    for _ in range(STUDIES):
        labels = (generator.random(patients) < 0.2000001).astype(np.int64)
        scores = generator.random(patients)
        found = choose_abstention(labels, scores, np.arange(patients), wanted, 0.001, CONFIDENCE)
        breaks += found.normal is not None
        called = scores[None] < CANDIDATES[:, None]
        p = binomial_p_values(called.sum(axis=1), (called & (labels == 1)).sum(axis=1), wanted)
        uncorrected += bool((p <= 1 - CONFIDENCE).any())
    print(f"{breaks} broken, {uncorrected} without a correction for the thresholds tried")
    assert breaks <= (1 - CONFIDENCE) * STUDIES
    assert uncorrected > 3 * (1 - CONFIDENCE) * STUDIES
