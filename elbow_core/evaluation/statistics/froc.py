"""FROC: sensitivity for lesions against false marks per image, on bootstrap draws of patients.

A reader or a program puts scored marks on images. At a threshold, sensitivity is the share of the
lesions with a mark on them, and the rate of false marks is their number per image, whether the
image shows a lesion or not.

References: Bunch et al., Journal of Applied Photographic Engineering 4:166 (1978); Chakraborty and
Winter, Radiology 174:873 (1990); Setio et al., Medical Image Analysis 42:1 (2017), LUNA16, for the
seven rates.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from elbow_core.evaluation.statistics.bootstrap import Resampled
from elbow_core.evaluation.statistics.clusters import DRAWS, multiplicities
from elbow_core.evaluation.statistics.confusion import ratio

FROC_RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False marks per image at which sensitivity is read."""


@dataclass(frozen=True, slots=True)
class ScoredMarks:
    """Marks on a set of images, and the patient of each image, lesion and false mark.

    Patients are numbered from 0 without gaps. A lesion has the score of its highest mark, or -inf
    if it has none.
    """

    image_cluster: Int64[np.ndarray, " images"]
    lesion_score: Float64[np.ndarray, " lesions"]
    lesion_cluster: Int64[np.ndarray, " lesions"]
    false_score: Float64[np.ndarray, " false_marks"]
    false_cluster: Int64[np.ndarray, " false_marks"]


@dataclass(frozen=True, slots=True)
class ResampledFroc:
    """The FROC curve at given rates, and the area below it, with their draws and influences."""

    sensitivity: tuple[Resampled, ...]
    """At each of the rates."""
    area: Resampled
    """Below the curve from 0 to the highest rate, divided by that rate: the mean sensitivity."""


def resample_froc(
    marks: ScoredMarks, rates: Sequence[float], draws: int = DRAWS, seed: int = 0
) -> ResampledFroc:
    """Resample the FROC curve of marks over patients.

    Sensitivity at a rate is the highest of any threshold with at most so many false marks per
    image; nothing is interpolated, so every point of the curve can be reached by a threshold. Marks
    of one score pass a threshold together. Everything is nan without a lesion.

    ``rates`` are false marks per image, ascending and above 0.
    """
    patients = int(marks.image_cluster.max()) + 1
    counts = _Counts(marks, patients)
    columns = np.concatenate(
        [counts.curve(m, rates) for m in multiplicities(patients, draws, seed, counts.width)]
    )
    (estimate,) = counts.curve(np.ones((1, patients), np.int64), rates)
    without = np.concatenate(
        [counts.curve(m, rates) for m in _leaving_one_out(patients, counts.width)]
    )
    # Minus the change when the patient is left out; 0 for one without whom there is no lesion.
    influence = np.nan_to_num(estimate - without)
    resampled = [
        Resampled(float(estimate[index]), columns[:, index], influence[:, index])
        for index in range(len(rates) + 1)
    ]
    return ResampledFroc(tuple(resampled[:-1]), resampled[-1])


class _Counts:
    """What the curve of any multiset of patients is computed from.

    Sensitivity changes at scores of lesions alone. For each lesion that has a mark, from the
    highest score to the lowest, it suffices to know how many false marks score at least as high.
    """

    def __init__(self, marks: ScoredMarks, patients: int) -> None:
        found = np.flatnonzero(marks.lesion_score > -np.inf)
        order = found[np.argsort(-marks.lesion_score[found], kind="stable")]
        self._found_cluster = marks.lesion_cluster[order]
        self._images = np.bincount(marks.image_cluster, minlength=patients)
        self._lesions = np.bincount(marks.lesion_cluster, minlength=patients)
        # A false mark counts for the lesions from the first one on whose score it reaches.
        first = np.searchsorted(-marks.lesion_score[order], -marks.false_score)
        false_marks = np.zeros((patients, order.size + 1))
        np.add.at(false_marks, (marks.false_cluster, first), 1)
        self._false_marks = np.cumsum(false_marks[:, :-1], axis=1)
        self.width = max(order.size, 1)

    def curve(
        self, multiplicity: Shaped[np.ndarray, "draws patients"], rates: Sequence[float]
    ) -> Float64[np.ndarray, "draws columns"]:
        """Return the sensitivity at each rate and, in the last column, the area, of each draw."""
        images = (multiplicity @ self._images)[:, None]
        false_marks = multiplicity.astype(np.float64) @ self._false_marks
        rate = false_marks / np.maximum(images, 1)
        lesions = multiplicity[:, self._found_cluster]
        found = [np.sum(lesions * (rate <= limit), axis=1) for limit in rates]
        found.append(np.sum(lesions * np.maximum(1 - rate / rates[-1], 0), axis=1))
        total = (multiplicity @ self._lesions)[:, None]
        return ratio(np.stack(found, axis=1).astype(np.float64), total)


def _leaving_one_out(patients: int, width: int) -> Iterator[Int64[np.ndarray, "block patients"]]:
    """Yield, block by block, the multiplicities of all patients but one."""
    block = max(1, (1 << 22) // max(patients, width))
    for start in range(0, patients, block):
        rows = np.arange(start, min(start + block, patients))
        multiplicity = np.ones((rows.size, patients), np.int64)
        multiplicity[np.arange(rows.size), rows] = 0
        yield multiplicity
