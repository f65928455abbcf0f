"""Choice of two thresholds that leave uncertain images to the reader, with a promise.

A score below the first threshold is called normal, one at or above the second injured, and between
them the image is left to the reader. With the wanted confidence, over validation sets of patients
drawn independently from one population, the share of injured images among those called normal and
the share of normal images among those called injured are both at most the wanted shares there. The
method is Learn Then Test: each threshold is a hypothesis, "the share is above the wanted one"
(`elbow_core.evaluation.statistics.abstention.share_tests`), and half of the error goes to each
answer.
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from elbow_core.evaluation.statistics.abstention.share_tests import (
    STAKES,
    betting_p_values,
    binomial_p_values,
    fallback,
    log_wealth,
)
from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs
from elbow_core.evaluation.statistics.published import exact

LEFT = -1
"""The answer of an image that is left to the reader."""
_THOUSANDTHS = (*range(1, 10), *range(10, 1000, 10), *range(991, 1000))
CANDIDATES = np.array(_THOUSANDTHS) / 1000
"""The thresholds that are tried: hundredths, and thousandths at both ends. No data chose them."""
_STARTS = (1, 10, 50, 100, 200, 300, 400, 500, 700, 900)
_BLOCK = 1024  # patients
# The error of an answer is divided equally among these of its thresholds, in the order of testing.
_WEIGHTS = np.isin(_THOUSANDTHS, _STARTS) / len(_STARTS)


class CertifiedThreshold(NamedTuple):
    """A threshold whose share is at most the wanted one, and the test that said so.

    ``images`` of the validation set are called at it, ``wrong`` of them wrongly; ``p`` is that of
    the test and ``level`` the one that it had to reach.
    """

    threshold: float
    images: int
    wrong: int
    p: float
    level: float


class Abstention(NamedTuple):
    """The thresholds of both answers; None for an answer that is never given."""

    normal: CertifiedThreshold | None
    injury: CertifiedThreshold | None


class _Calls(NamedTuple):
    """What one answer calls at each candidate threshold, and p of the test of its share."""

    images: Int64[np.ndarray, " thresholds"]
    wrong: Int64[np.ndarray, " thresholds"]
    p: Float64[np.ndarray, " thresholds"]


def choose_abstention(
    labels: Labels,
    scores: Float[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    most_missed: float | Fraction,
    most_false_alarms: float | Fraction,
    confidence: float = 0.95,
    most_images: int | None = None,
) -> Abstention:
    """Choose the thresholds on a validation set; ``clusters`` is the patient of each image.

    Among the pairs of certified thresholds it is the one that answers most images of the validation
    set; of equal ones that with the fewest wrong answers, then that with most room between the
    thresholds, then that with the lower ones.

    Args:
        labels: 0 normal, 1 injury.
        scores: P(injury).
        clusters: patients, numbered.
        most_missed: wanted share of injured images among those called normal, inside 0..1.
        most_false_alarms: wanted share of normal images among those called injured, inside 0..1.
        confidence: probability with which both shares are kept, inside 0..1.
        most_images: None counts every patient once, whatever their number of images: the shares
            are those of an image drawn from a patient who was drawn first. A number counts every
            image once, and is the greatest number of images that any patient has, here or later.

    Raises ValueError as `checked_inputs` does, for labels of one class, for equal scores, for a
    number outside its range, and for a patient with more than ``most_images``.
    """
    positive, scores = checked_inputs(labels, scores)
    for name, value in (
        ("most_missed", most_missed),
        ("most_false_alarms", most_false_alarms),
        ("confidence", confidence),
    ):
        if not 0 < value < 1:
            raise ValueError(f"{name}: {value} is not inside 0 to 1")
    if positive.all() or not positive.any():
        raise ValueError("thresholds need validation images of both classes")
    if scores.min() == scores.max():
        raise ValueError(f"every score is {scores[0]:g}; no threshold divides the images")
    _, cluster, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    weights = sizes if most_images is None else np.full_like(sizes, most_images)
    if (sizes > weights).any():
        raise ValueError(f"a patient has {sizes.max()} images, more than {most_images}")
    first = np.searchsorted(CANDIDATES, scores, "right")
    normal = _calls(first, positive, cluster, weights, exact(most_missed))
    # Thresholds of injury in descending order: those above the score come first.
    injury = _calls(CANDIDATES.size - first, ~positive, cluster, weights, exact(most_false_alarms))
    error = _error_of_an_answer(confidence)
    return _most_answered(
        _certified(normal, CANDIDATES, error), _certified(injury, CANDIDATES[::-1], error)
    )


def first_level(confidence: float) -> float:
    """Return the level that p of the first certified threshold of an answer has to reach."""
    return _error_of_an_answer(confidence) / len(_STARTS)


def answers(
    scores: Float[np.ndarray, " n"], normal_below: float, injury_from: float
) -> Int64[np.ndarray, " n"]:
    """Return 0 normal, 1 injury or `LEFT` for each score."""
    return np.where(scores >= injury_from, 1, np.where(scores < normal_below, 0, LEFT))


def patient_weights(clusters: Int64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return 1 / (number of the patient's images) for each image: every patient counts once."""
    _, cluster, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    return 1.0 / sizes[cluster]


def _error_of_an_answer(confidence: float) -> float:
    return float((1 - exact(confidence)) / 2)


def _calls(
    first: Int64[np.ndarray, " n"],
    wrong: Bool[np.ndarray, " n"],
    cluster: Int64[np.ndarray, " n"],
    weights: Int64[np.ndarray, " patients"],
    alpha: Fraction,
) -> _Calls:
    """Count what is called; ``first`` is the first threshold, in order, that calls each image."""
    columns = CANDIDATES.size + 1
    images, errors = np.zeros((2, CANDIDATES.size), np.int64)
    wealth = np.zeros((STAKES.size, CANDIDATES.size))
    one_image = weights.max() == 1
    for start in range(0, weights.size, _BLOCK):
        block = weights[start : start + _BLOCK]
        inside = (cluster >= start) & (cluster < start + block.size)
        cell = (cluster[inside] - start) * columns + first[inside]
        called, called_wrong = (
            np.cumsum(
                np.bincount(cells, minlength=block.size * columns).reshape(block.size, columns),
                axis=1,
            )[:, :-1]
            for cells in (cell, cell[wrong[inside]])
        )
        images += called.sum(axis=0)
        errors += called_wrong.sum(axis=0)
        if not one_image:
            wealth += log_wealth(called, called_wrong, block, alpha)
    p = binomial_p_values(images, errors, alpha) if one_image else betting_p_values(wealth)
    return _Calls(images, errors, p)


def _certified(
    calls: _Calls, thresholds: Float64[np.ndarray, " thresholds"], error: float
) -> list[CertifiedThreshold]:
    """Return the thresholds whose hypothesis is rejected."""
    rejected, levels = fallback(calls.p, error * _WEIGHTS)
    return [
        CertifiedThreshold(
            float(thresholds[index]),
            int(calls.images[index]),
            int(calls.wrong[index]),
            float(calls.p[index]),
            float(levels[index]),
        )
        for index in np.flatnonzero(rejected)
    ]


def _most_answered(
    normal: list[CertifiedThreshold], injury: list[CertifiedThreshold]
) -> Abstention:
    """Return the best pair in which the threshold of normal is not above that of injury."""
    never_normal, never_injury = (CertifiedThreshold(end, 0, 0, 1.0, 0.0) for end in (0.0, 1.0))
    pairs = [
        (low, high)
        for low in (never_normal, *normal)
        for high in (never_injury, *injury)
        if low.threshold <= high.threshold
    ]
    low, high = max(
        pairs,
        key=lambda pair: (
            pair[0].images + pair[1].images,
            -pair[0].wrong - pair[1].wrong,
            pair[1].threshold - pair[0].threshold,
            -pair[0].threshold,
        ),
    )
    return Abstention(low if low.images else None, high if high.images else None)
