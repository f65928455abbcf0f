"""Reliability: does a score of 0.8 mean injury in eight of ten images? By bins of the score."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer

from elbow_core.evaluation.statistics.confusion import ratio
from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs

ECE_BINS = 10


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Equal-width bins of P(injury); mean and fraction of an empty bin are nan."""

    count: Int64[np.ndarray, " bins"]
    injured: Int64[np.ndarray, " bins"]
    mean_score: Float64[np.ndarray, " bins"]
    injured_fraction: Float64[np.ndarray, " bins"]


def bin_indices(scores: Float[np.ndarray, " n"], bins: int = ECE_BINS) -> Integer[np.ndarray, " n"]:
    """Return the equal-width bin of each score; a score on an edge belongs to the bin below it.

    Equals the bins of sklearn.calibration.calibration_curve.
    """
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], scores)


def reliability_bins(
    labels: Labels, scores: Float[np.ndarray, " n"], bins: int = ECE_BINS
) -> ReliabilityBins:
    """Mean score and injured fraction of each bin.

    Equals sklearn.calibration.calibration_curve, except that empty bins are kept.
    """
    positive, scores = checked_inputs(labels, scores)
    bin_of = bin_indices(scores, bins)
    count = np.bincount(bin_of, minlength=bins)
    injured = np.bincount(bin_of[positive], minlength=bins)
    return ReliabilityBins(
        count=count,
        injured=injured,
        mean_score=ratio(np.bincount(bin_of, weights=scores, minlength=bins), count),
        injured_fraction=ratio(injured, count),
    )


def expected_calibration_error(
    labels: Labels, scores: Float[np.ndarray, " n"], bins: int = ECE_BINS
) -> float:
    """Mean over images of abs(injured fraction - mean score), by bin of P(injury).

    Naeini et al., AAAI (2015), with equal-width bins of the positive class's probability.
    """
    positive, scores = checked_inputs(labels, scores)
    gaps = np.bincount(bin_indices(scores, bins), weights=positive - scores, minlength=bins)
    return float(np.abs(gaps).sum() / positive.size)
