"""The accuracy of each reader with each modality, and its covariance over the cases.

Ratings have the shape (modalities, readers, cases): every reader rates every case with every
modality. A higher rating means more suspicion of a positive case.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from elbow_core.evaluation.statistics.inputs import Labels
from elbow_core.evaluation.statistics.ranking import placements

ReaderMetric = Literal["auroc", "sensitivity", "specificity"]
CovarianceMethod = Literal["jackknife", "delong"]

Ratings = Float64[np.ndarray, "modalities readers cases"]


@dataclass(frozen=True, slots=True, eq=False)
class ReaderAccuracy:
    """One metric of each modality and reader.

    ``covariance[i, j, k, l]`` is the covariance, over random cases, of reader j with modality i and
    reader l with modality k. ``cases`` is the number of cases that the metric is computed from: all
    for the AUROC, those of one class for sensitivity and specificity.
    """

    metric: ReaderMetric
    values: Float64[np.ndarray, "modalities readers"]
    covariance: Float64[np.ndarray, "modalities readers modalities readers"]
    cases: int


def reader_auroc(
    truth: Labels, ratings: Ratings, covariance: CovarianceMethod = "jackknife"
) -> ReaderAccuracy:
    """Return the trapezoidal AUROC of each modality and reader; tied pairs count half.

    ``covariance`` is the jackknife over the cases, in closed form, or DeLong's. With m positive and
    n negative cases the jackknife is larger by about m / (m - 1) and n / (n - 1) in the two terms.

    Raises ValueError for fewer than two cases of either class, or a truth other than 0 and 1.

    References: DeLong, DeLong and Clarke-Pearson, Biometrics 44:837 (1988); Hillis, Obuchowski,
    Schartz and Berbaum, Statistics in Medicine 24:1579 (2005) for both in this analysis.
    """
    positive = _checked_truth(truth, ratings)
    m, n = np.count_nonzero(positive), np.count_nonzero(~positive)
    if min(m, n) < 2:
        raise ValueError(f"{m} positive and {n} negative cases; both need two")
    modalities, readers, cases = ratings.shape
    below, above = placements(positive, ratings.reshape(modalities * readers, cases))
    areas = below.mean(axis=1)
    by_positive, by_negative = (
        (component - areas[:, None]) @ (component - areas[:, None]).T
        for component in (below, above)
    )
    if covariance == "delong":
        total = by_positive / (m * (m - 1)) + by_negative / (n * (n - 1))
    else:
        # Without positive case i the area is A + (A - below_i) / (m - 1); the mean of all is A.
        total = (cases - 1) / cases * (by_positive / (m - 1) ** 2 + by_negative / (n - 1) ** 2)
    shape = (modalities, readers)
    return ReaderAccuracy("auroc", areas.reshape(shape), total.reshape(shape * 2), cases)


def reader_sensitivity(
    truth: Labels, decisions: Bool[np.ndarray, "modalities readers cases"]
) -> ReaderAccuracy:
    """Return the share of the positive cases that each reader calls positive, by modality.

    The covariance is that of means of dependent decisions; the jackknife over the positive cases
    equals it. Raises ValueError for fewer than two positive cases.
    """
    return _proportion("sensitivity", decisions[..., _checked_truth(truth, decisions)])


def reader_specificity(
    truth: Labels, decisions: Bool[np.ndarray, "modalities readers cases"]
) -> ReaderAccuracy:
    """Return the share of the negative cases that each reader calls negative; see sensitivity."""
    return _proportion("specificity", ~decisions[..., ~_checked_truth(truth, decisions)])


def _proportion(
    metric: ReaderMetric, right: Bool[np.ndarray, "modalities readers cases"]
) -> ReaderAccuracy:
    modalities, readers, cases = right.shape
    if cases < 2:
        raise ValueError(f"{metric}: {cases} cases of the class; it needs two")
    values = right.mean(axis=2)
    deviation = (right - values[..., None]).reshape(modalities * readers, cases)
    total = deviation @ deviation.T / (cases * (cases - 1))
    return ReaderAccuracy(metric, values, total.reshape(values.shape * 2), cases)


def _checked_truth(truth: Labels, ratings: np.ndarray) -> Bool[np.ndarray, " cases"]:
    if truth.shape != ratings.shape[2:]:
        raise ValueError(f"truth of {truth.size} cases, ratings of {ratings.shape[2]}")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("a truth is neither 0 nor 1")
    return truth.astype(bool)
