"""Every metric on every bootstrap draw of patients, and each patient's influence on it.

Efron and Tibshirani, An Introduction to the Bootstrap (1993). Patients are drawn with all their
images, as in Field and Welsh, Journal of the Royal Statistical Society B 69:369 (2007).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from elbow_core.evaluation.statistics.calibration import ECE_BINS, bin_indices
from elbow_core.evaluation.statistics.clusters import multiplicities
from elbow_core.evaluation.statistics.confusion import confusion_metrics, ratio
from elbow_core.evaluation.statistics.ranking import sorted_with_ties

Clusters = Int64[np.ndarray, " n"]


@dataclass(frozen=True, slots=True)
class Resampled:
    """One metric: its estimate, its values on the draws, and the influence of each patient."""

    estimate: float
    draws: Float64[np.ndarray, " draws"]
    influence: Float64[np.ndarray, " patients"]


@dataclass(frozen=True, slots=True)
class ResampledGaps:
    """Calibration gap of each bin, (injured - sum of scores) / images: estimate and draws."""

    estimate: Float64[np.ndarray, " bins"]
    draws: Float64[np.ndarray, "draws bins"]


def resample_mean(
    values: Float64[np.ndarray, " n"], clusters: Clusters, draws: int, seed: int
) -> Resampled:
    """Resample the mean of one value of each image.

    Two means over the same images, with equal ``draws`` and ``seed``, are on the same draws, so
    their difference is resampled by the differences of their draws and of their influences.
    """
    by_patient = _sums(clusters, np.ones_like(values), values)
    drawn = np.concatenate(
        [m @ by_patient for m in multiplicities(len(by_patient), draws, seed, 0)]
    )
    estimate = float(values.mean())
    influence = (by_patient[:, 1] - estimate * by_patient[:, 0]) / values.size
    return Resampled(estimate, drawn[:, 1] / drawn[:, 0], influence)


def resample_decisions(
    labels: Bool[np.ndarray, " n"],
    predicted: Bool[np.ndarray, " n"],
    clusters: Clusters,
    draws: int,
    seed: int,
) -> dict[str, Resampled]:
    """Resample every metric of the 2 x 2 matrix."""
    cells = (labels & predicted, ~labels & predicted, ~labels & ~predicted, labels & ~predicted)
    by_patient = _sums(clusters, *cells)
    total = by_patient.sum(axis=0)
    drawn = np.concatenate(
        [m @ by_patient for m in multiplicities(len(by_patient), draws, seed, 0)]
    )
    estimates = confusion_metrics(*total)
    resampled = confusion_metrics(*drawn.T)
    without = confusion_metrics(*(total - by_patient).T)
    return {
        # Minus the change when the patient is left out; 0 for a patient without whom the metric is
        # undefined.
        name: Resampled(float(estimates[name]), resampled[name], np.nan_to_num(-change))
        for name, change in ((name, without[name] - estimates[name]) for name in estimates)
    }


def resample_scores(
    labels: Bool[np.ndarray, " n"],
    scores: Float64[np.ndarray, " n"],
    clusters: Clusters,
    draws: int,
    seed: int,
) -> tuple[dict[str, Resampled], ResampledGaps]:
    """Resample AUROC, average precision, Brier score and the gaps of the calibration error."""
    bins = bin_indices(scores)
    gaps = [(labels - scores) * (bins == index) for index in range(ECE_BINS)]
    error = (scores - labels) ** 2
    by_patient = _sums(clusters, np.ones_like(scores), error, *gaps)

    order, last_of_tie = sorted_with_ties(scores)
    ordered_labels, ordered_clusters = labels[order], clusters[order]
    sums, areas = [], []
    for drawn in multiplicities(len(by_patient), draws, seed, scores.size):
        sums.append(drawn @ by_patient)
        weights = drawn.astype(np.float64)[:, ordered_clusters]
        areas.append(_areas(ordered_labels, weights, last_of_tie))
    drawn_sums, drawn_areas = np.concatenate(sums), np.concatenate(areas)
    images = drawn_sums[:, :1]

    (estimates,) = _areas(ordered_labels, np.ones((1, scores.size)), last_of_tie)
    influence = _sums(ordered_clusters, *_area_influence(ordered_labels, last_of_tie))
    resampled = {
        name: Resampled(float(estimates[index]), drawn_areas[:, index], influence[:, index])
        for index, name in enumerate(("auroc", "average_precision"))
    }
    brier = float(error.mean())
    influence_on_brier = (by_patient[:, 1] - brier * by_patient[:, 0]) / scores.size
    resampled["brier"] = Resampled(brier, drawn_sums[:, 1] / images[:, 0], influence_on_brier)
    estimated_gaps = by_patient[:, 2:].sum(axis=0) / scores.size
    return resampled, ResampledGaps(estimated_gaps, drawn_sums[:, 2:] / images)


def _sums(clusters: np.ndarray, *columns: np.ndarray) -> Float64[np.ndarray, "patients columns"]:
    return np.stack([np.bincount(clusters, weights=column) for column in columns], axis=1)


def _areas(
    labels: Bool[np.ndarray, " n"],
    weights: Float64[np.ndarray, "draws n"],
    last_of_tie: Int64[np.ndarray, " distinct"],
) -> Float64[np.ndarray, "draws 2"]:
    """Return AUROC and average precision on each draw; images are sorted by ascending score.

    ``last_of_tie`` is the last position of each distinct score.
    """
    injured_so_far = np.cumsum(weights * labels, axis=1)
    so_far = np.cumsum(weights, axis=1)
    if last_of_tie.size < labels.size:
        injured_so_far, so_far = injured_so_far[:, last_of_tie], so_far[:, last_of_tie]
    positives, images = injured_so_far[:, -1:], so_far[:, -1:]
    injured, here = _steps(injured_so_far), _steps(so_far)
    # Twice the normals below, tied ones once: whole numbers, so the sum over pairs is exact.
    twice_below = 2 * (so_far - injured_so_far) - (here - injured)
    pairs = np.einsum("dn,dn->d", injured, twice_below)
    auroc = ratio(pairs, (2 * positives * (images - positives))[:, 0])
    at_least = images - so_far + here
    injured_at_least = positives - injured_so_far + injured
    # Where no drawn image scores this high, 0 / 1 stands for 0 / 0; its weight is 0.
    precision = injured_at_least / np.maximum(at_least, 1)
    average_precision = ratio(np.einsum("dn,dn->d", injured, precision), positives[:, 0])
    return np.stack([auroc, average_precision], axis=1)


def _steps(so_far: Float64[np.ndarray, "draws n"]) -> Float64[np.ndarray, "draws n"]:
    steps = so_far.copy()
    steps[:, 1:] -= so_far[:, :-1]
    return steps


def _area_influence(
    labels: Bool[np.ndarray, " n"], last_of_tie: Int64[np.ndarray, " distinct"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Return the derivative of AUROC and of average precision by each image's weight."""
    group = np.repeat(np.arange(last_of_tie.size), np.diff(last_of_tie, prepend=-1))
    injured_so_far = np.cumsum(labels)[last_of_tie]
    so_far = last_of_tie + 1
    positives, images = injured_so_far[-1], so_far[-1]
    negatives = images - positives
    injured = np.diff(injured_so_far, prepend=0)
    normal = np.diff(so_far, prepend=0) - injured
    normals_below = so_far - injured_so_far - normal / 2
    injured_above = positives - injured_so_far + injured / 2
    auroc = ratio(np.sum(injured * normals_below), positives * negatives)
    by_injured = ratio(normals_below - auroc * negatives, positives * negatives)
    by_normal = ratio(injured_above - auroc * positives, positives * negatives)

    at_least = images - so_far + injured + normal
    precision = (positives - injured_so_far + injured) / at_least
    average = ratio(np.sum(injured * precision), positives)
    # One more image at a score changes the precision at every score up to its own.
    gain = np.cumsum(injured * (1 - precision) / at_least)
    loss = np.cumsum(injured * precision / at_least)
    on_average = np.where(
        labels, ratio(precision - average + gain, positives)[group], ratio(-loss, positives)[group]
    )
    return np.where(labels, by_injured[group], by_normal[group]), on_average
