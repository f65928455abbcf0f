"""A metric in each of several groups of images, and how the estimates vary together.

Groups may share patients, as views do: a patient's images are dependent within a group and between
groups.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.special import logit

from elbow_core.evaluation.statistics.differences import area_covariance
from elbow_core.evaluation.statistics.inputs import Labels
from elbow_core.evaluation.statistics.ranking import placements

LEAST_PATIENTS = 10
"""Of a class, below which a group is not judged; so it has ten images of the class or more."""
MOST_CORRELATION = 0.95
"""Of two groups' estimates; a higher one would make their difference certain by assumption."""


@dataclass(frozen=True, slots=True)
class Proportions:
    """The proportion of successes in each group."""

    values: Float64[np.ndarray, " groups"]
    sizes: Float64[np.ndarray, " groups"]
    """The effective numbers of images: as many independent ones have the same variance."""
    correlation: Float64[np.ndarray, "groups groups"]


@dataclass(frozen=True, slots=True)
class Areas:
    """The area under the ROC curve in each group."""

    values: Float64[np.ndarray, " groups"]
    logits: Float64[np.ndarray, " groups"]
    """Of the areas; an area of 1 or 0 is moved towards one half, so that it has one too."""
    variances: Float64[np.ndarray, " groups"]
    """Of the logits."""
    degrees: Float64[np.ndarray, " groups"]
    """Degrees of freedom of the variances: the patients of the scarcer class minus 1."""
    correlation: Float64[np.ndarray, "groups groups"]


def judged_groups(
    groups: Int64[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    classes: Sequence[Bool[np.ndarray, " n"]],
) -> Int64[np.ndarray, " judged"]:
    """Return the groups with images of at least `LEAST_PATIENTS` patients in each of ``classes``.

    ``groups`` and ``clusters`` number the groups and the patients from 0; ``classes`` are masks.
    """
    count = int(groups.max()) + 1
    enough = np.ones(count, bool)
    for of in classes:
        patients = np.unique(clusters[of] * count + groups[of]) % count
        enough &= np.bincount(patients, minlength=count) >= LEAST_PATIENTS
    return np.flatnonzero(enough)


def group_proportions(
    success: Bool[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
) -> Proportions:
    """Return the proportion of ``success`` in each group; every group from 0 up has an image.

    Two correlations between the images of a patient, one within a group and one between groups, are
    estimated from all groups together, since one group has too few patients for that. They give the
    design effect of each group and the correlation of the groups' proportions. Where no residual
    shows a correlation, images of a patient count as fully dependent within a group and as
    independent between groups, which widens every difference.

    Reference: Donner, Biometrics 45:605 (1989), for a common correlation in tests of several groups
    of clustered proportions.
    """
    images = np.bincount(groups).astype(np.float64)
    values = np.bincount(groups, weights=success) / images
    # A block is what one patient has in one group.
    keys, block = np.unique(clusters * images.size + groups, return_inverse=True)
    patient_of_block, group_of_block = keys // images.size, keys % images.size
    counts = np.bincount(block).astype(np.float64)
    residuals = success - values[groups]
    sums = np.bincount(block, weights=residuals)
    squares = np.sum(residuals**2)
    _, patient = np.unique(patient_of_block, return_inverse=True)
    patient_counts = np.bincount(patient, weights=counts)
    patient_sums = np.bincount(patient, weights=sums)
    block_pairs = np.sum(counts**2)
    within_pairs = block_pairs - counts.sum()
    between_pairs = np.sum(patient_counts**2) - block_pairs
    within = between = 0.0
    if squares > 0:
        variance = squares / success.size
        if between_pairs:
            products = np.sum(patient_sums**2) - np.sum(sums**2)
            between = min(max(products / between_pairs / variance, 0.0), MOST_CORRELATION)
        within = between
        if within_pairs:
            products = np.sum(sums**2) - squares
            within = min(max(products / within_pairs / variance, 0.0), 1.0)
        between = min(between, within)
    elif within_pairs:
        within = 1.0
    own = np.bincount(group_of_block, weights=counts**2)
    sizes = images / (1 + within * (own / images - 1))
    shared = _shared(patient, group_of_block, counts) if between else np.diag(images)
    correlation = between * shared / np.outer(images, images) * np.sqrt(np.outer(sizes, sizes))
    return Proportions(values, sizes, _as_correlation(correlation))


def group_areas(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    groups: Int64[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
) -> Areas:
    """Return the area in each group; every group from 0 up has at least two patients of each class.

    The variances are those of `area_covariance`, for the logit by the delta method. An area of 1 or
    0 has no variance of its own. It counts as a proportion of as many independent trials as have
    the variance of Newcombe's method 5 next to that limit, with half a success and half a failure
    added; patients stand for images.

    References: Obuchowski, Biometrics 53:567 (1997); Pepe, The Statistical Evaluation of Medical
    Tests (2003), section 5.2; Newcombe, Statistics in Medicine 25:559 (2006); Haldane, Annals of
    Human Genetics 20:309 (1956), for the halves.
    """
    positive = labels.astype(bool)
    _, patient = np.unique(clusters, return_inverse=True)
    count = int(groups.max()) + 1
    values, logits, variances, degrees = (np.zeros(count) for _ in range(4))
    influence = np.zeros((int(patient.max()) + 1, count))
    for group in range(count):
        of = np.flatnonzero(groups == group)
        injured, normal = of[positive[of]], of[~positive[of]]
        areas, covariance = area_covariance(positive[of], scores[of][None], patient[of])
        area, variance = float(areas[0]), float(covariance[0, 0])
        values[group] = area
        patients = [np.unique(patient[members]).size for members in (injured, normal)]
        if 0 < area < 1 and variance > 1e-24:  # less is rounding, see `area_interval`
            logits[group] = logit(area)
            variances[group] = variance / (area * (1 - area)) ** 2
        else:
            logits[group], variances[group] = _logit_at_limit(area, *patients)
        degrees[group] = min(patients) - 1
        below, above = placements(positive[of], scores[of][None])
        for members, terms in ((injured, below[0]), (normal, above[0])):
            influence[:, group] += np.bincount(
                patient[members],
                weights=(terms - values[group]) / members.size,
                minlength=influence.shape[0],
            )
    return Areas(
        values,
        logits,
        variances,
        degrees,
        _as_correlation(_normalised(influence.T @ influence)),
    )


def _shared(patient: np.ndarray, group: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return, for two groups, the sum over patients of the product of their numbers of images."""
    table = np.zeros((int(patient.max()) + 1, int(group.max()) + 1))
    table[patient, group] = counts
    return table.T @ table


def _normalised(products: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.diag(products))
    scale[scale == 0] = 1
    return products / np.outer(scale, scale)


def _as_correlation(correlation: np.ndarray) -> np.ndarray:
    limited = np.clip(correlation, -MOST_CORRELATION, MOST_CORRELATION)
    np.fill_diagonal(limited, 1.0)
    return limited


def _logit_at_limit(area: float, injured: int, normal: int) -> tuple[float, float]:
    """Return the logit of an area without variance, moved towards one half, and its variance."""
    trials = injured * normal / (1 + ((injured + normal) / 2 - 1) / 2)
    successes, failures = area * trials + 0.5, (1 - area) * trials + 0.5
    return math.log(successes / failures), 1 / successes + 1 / failures
