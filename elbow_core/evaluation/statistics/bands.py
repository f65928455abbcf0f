"""Pointwise 95 % bands of curves, by the bootstrap over patients."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64

from elbow_core.evaluation.statistics.clusters import multiplicities
from elbow_core.evaluation.statistics.confusion import ratio
from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs
from elbow_core.evaluation.statistics.intervals import TAILS
from elbow_core.evaluation.statistics.ranking import sorted_with_ties

BAND_DRAWS = 1000
GRID = np.linspace(0, 1, 101)
# Probabilities of injury at which a clinician would act; at 0 and 1 the odds are 0 and infinite.
THRESHOLD_PROBABILITIES = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True, slots=True)
class Band:
    """A curve ``y`` at the points ``x`` with its pointwise interval; nan where undefined."""

    x: Float64[np.ndarray, " points"]
    y: Float64[np.ndarray, " points"]
    low: Float64[np.ndarray, " points"]
    high: Float64[np.ndarray, " points"]


def roc_and_precision_bands(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    draws: int = BAND_DRAWS,
    seed: int = 0,
) -> tuple[Band, Band]:
    """Return the ROC and the precision-recall curve with bands, on a grid of 101 points.

    The ROC value at x is the sensitivity at the lowest threshold whose false positive rate is at
    most x. The precision at x is the precision at the highest threshold whose sensitivity is at
    least x. Every value is nan where a class is absent.
    """
    positive, scores = checked_inputs(labels, scores)
    order, last_of_tie = sorted_with_ties(scores, descending=True)
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
    """Return sensitivity at each false positive rate of the grid, precision at each sensitivity."""
    true_positives = np.cumsum(injured * weights)[last_of_tie]
    called = np.cumsum(weights)[last_of_tie]
    false_positives = called - true_positives
    if not true_positives[-1] or not false_positives[-1]:
        return np.full(GRID.size, np.nan), np.full(GRID.size, np.nan)
    sensitivity = true_positives / true_positives[-1]
    # The small offset lets 3 of 10 reach the grid's 0.3 despite rounding.
    at_most = np.searchsorted(false_positives / false_positives[-1], GRID + 1e-12, side="right")
    roc = np.append(0.0, sensitivity)[at_most]
    at_least = np.searchsorted(sensitivity, GRID - 1e-12, side="left")
    # Precision is nan where no drawn image is at or above the threshold.
    return roc, ratio(true_positives, called)[at_least]


def net_benefit_band(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    draws: int = BAND_DRAWS,
    seed: int = 0,
) -> Band:
    """Return the net benefit of a model at each threshold probability, with its band.

    Net benefit is in true positives per image: the true positives minus the false positives, which
    are weighted by the odds of the threshold probability.

    Reference: Vickers and Elkin, Medical Decision Making 26:565 (2006).
    """
    positive, scores = checked_inputs(labels, scores)
    # One image contributes 1 as a true positive and minus the odds as a false positive.
    odds = THRESHOLD_PROBABILITIES / (1 - THRESHOLD_PROBABILITIES)
    called = scores[:, None] >= THRESHOLD_PROBABILITIES
    contribution = called * np.where(positive[:, None], 1.0, -odds)
    patients = int(clusters.max()) + 1
    by_patient = np.zeros((patients, THRESHOLD_PROBABILITIES.size + 1))
    np.add.at(by_patient, clusters, np.column_stack([contribution, np.ones(scores.size)]))
    drawn = np.concatenate([m @ by_patient for m in multiplicities(patients, draws, seed, 0)])
    return _band(THRESHOLD_PROBABILITIES, contribution.mean(axis=0), drawn[:, :-1] / drawn[:, -1:])


def treat_all(prevalence: float) -> Float64[np.ndarray, " points"]:
    """Return the net benefit of calling every image injured, at `THRESHOLD_PROBABILITIES`."""
    return prevalence - (1 - prevalence) * THRESHOLD_PROBABILITIES / (1 - THRESHOLD_PROBABILITIES)


def _band(x: np.ndarray, y: np.ndarray, drawn: np.ndarray) -> Band:
    undefined = np.isnan(drawn).any(axis=0)
    low, high = np.quantile(np.where(np.isnan(drawn), 0.0, drawn), TAILS, axis=0)
    if undefined.any():
        for point in np.flatnonzero(undefined):
            known = drawn[~np.isnan(drawn[:, point]), point]
            # A band tolerates a few undefined draws; more break it at this point.
            if known.size > 0.95 * len(drawn):
                low[point], high[point] = np.quantile(known, TAILS)
            else:
                low[point] = high[point] = np.nan
    return Band(x, y, low, high)
