"""Pointwise 95 % bands of curves, by drawing patients."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from elbow_core.evaluation.statistics.clusters import multiplicities
from elbow_core.evaluation.statistics.intervals import TAILS
from elbow_core.evaluation.statistics.metrics import Labels, checked, ratio

DRAWS = 1000
GRID = np.linspace(0, 1, 101)
# Chances at which a clinician might act; at 0 and 1 the odds are 0 and infinite.
CHANCES = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True, slots=True)
class Band:
    """A curve at the points ``x``, and the ends of its pointwise interval; nan where undefined."""

    x: Float64[np.ndarray, " points"]
    y: Float64[np.ndarray, " points"]
    low: Float64[np.ndarray, " points"]
    high: Float64[np.ndarray, " points"]


def roc_and_precision_bands(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Band, Band]:
    """Sensitivity by 1 - specificity, and precision by sensitivity, on a grid of 101 points.

    A curve at a point is what the highest threshold that reaches the point gives: sensitivity at a
    false positive rate of at most x, precision at a sensitivity of at least x. nan everywhere where
    a class is absent.
    """
    positive, scores = checked(labels, scores)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    injured, cluster = positive[order].astype(np.float64), clusters[order]
    roc, precision = [], []
    patients = int(clusters.max()) + 1
    for block in multiplicities(patients, draws, seed, scores.size):
        for weights in block.astype(np.float64)[:, cluster]:
            curves = _curves(injured, weights, last_of_tie)
            roc.append(curves[0])
            precision.append(curves[1])
    estimates = _curves(injured, np.ones(scores.size), last_of_tie)
    return _band(GRID, estimates[0], np.stack(roc)), _band(GRID, estimates[1], np.stack(precision))


def _curves(
    injured: np.ndarray, weights: np.ndarray, last_of_tie: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sensitivity at each false positive rate of the grid, precision at each sensitivity."""
    true_positives = np.cumsum(injured * weights)[last_of_tie]
    called = np.cumsum(weights)[last_of_tie]
    false_positives = called - true_positives
    if not true_positives[-1] or not false_positives[-1]:
        return np.full(GRID.size, np.nan), np.full(GRID.size, np.nan)
    sensitivity = true_positives / true_positives[-1]
    # A hair's breadth, so that 3 of 10 reaches the grid's 0.3.
    at_most = np.searchsorted(false_positives / false_positives[-1], GRID + 1e-12, side="right")
    roc = np.append(0.0, sensitivity)[at_most]
    at_least = np.searchsorted(sensitivity, GRID - 1e-12, side="left")
    # No image drawn scores above this: nothing is called, so there is no precision yet.
    return roc, ratio(true_positives, called)[at_least]


def net_benefit_band(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    draws: int = DRAWS,
    seed: int = 0,
) -> Band:
    """Net benefit of calling injured what scores at least the chance at which one would act.

    In true positives an image: those found, less the false alarms at the odds of the chance.

    Reference: Vickers and Elkin, Medical Decision Making 26:565 (2006).
    """
    positive, scores = checked(labels, scores)
    # What an image contributes at a chance: 1 if found, minus the odds if a false alarm.
    odds = CHANCES / (1 - CHANCES)
    contribution = (scores[:, None] >= CHANCES) * np.where(positive[:, None], 1.0, -odds)
    patients = int(clusters.max()) + 1
    by_patient = np.zeros((patients, CHANCES.size + 1))
    np.add.at(by_patient, clusters, np.column_stack([contribution, np.ones(scores.size)]))
    drawn = np.concatenate([m @ by_patient for m in multiplicities(patients, draws, seed, 0)])
    return _band(CHANCES, contribution.mean(axis=0), drawn[:, :-1] / drawn[:, -1:])


def treat_all(prevalence: float) -> Float64[np.ndarray, " points"]:
    """Net benefit of calling every image injured, at `CHANCES`."""
    return prevalence - (1 - prevalence) * CHANCES / (1 - CHANCES)


def _band(x: np.ndarray, y: np.ndarray, drawn: np.ndarray) -> Band:
    undefined = np.isnan(drawn).any(axis=0)
    low, high = np.quantile(np.where(np.isnan(drawn), 0.0, drawn), TAILS, axis=0)
    if undefined.any():
        for point in np.flatnonzero(undefined):
            known = drawn[~np.isnan(drawn[:, point]), point]
            # Undefined in a draw or two is no reason to break a band; in many it is.
            if known.size > 0.95 * len(drawn):
                low[point], high[point] = np.quantile(known, TAILS)
            else:
                low[point] = high[point] = np.nan
    return Band(x, y, low, high)
