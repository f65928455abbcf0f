"""One set of maps, judged image by image; only numbers are kept, so memory stays small."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from elbow_core.evaluation.heat_maps import Area, HeatMap, HeatMaps
from elbow_core.evaluation.localisation.cases import Case, positions_of
from elbow_core.evaluation.localisation.centre_prior import LABEL, CentrePrior
from elbow_core.evaluation.localisation.marks import detections, find_marks
from elbow_core.evaluation.localisation.measures import agreement
from elbow_core.evaluation.statistics import ScoredMarks, clusters_of
from elbow_core.identity import normalise_image_id
from elbow_core.progress import track

AGREEMENT = ("pointing", "pointing_tolerant", "energy", "iou")
"""The measures of a single map, columns of `Judged.agreement`."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The numbers of one set of maps; the images are those of `Judged.image_id` in order.

    Attributes:
        label: the name of the set.
        image_id: of the images that count, the located and the normal ones.
        located: which of them are injured and have a box.
        agreement: the measures of `AGREEMENT` of the located images, from 0 to 1.
        located_cluster: patient of each located image, from 0 without gaps.
        marks: what the marks on all images find.
        marks_per_image: mean number of marks of an image.
        flat: number of maps without contrast.
        equal_maxima: whether several different maps have contrast, and one maximum: maps that were
            scaled one by one have marks that cannot be compared between images.
    """

    label: str
    image_id: tuple[str, ...]
    located: Bool[np.ndarray, " images"]
    agreement: Float64[np.ndarray, "located 4"]
    located_cluster: Int64[np.ndarray, " located"]
    marks: ScoredMarks
    marks_per_image: float
    flat: int
    equal_maxima: bool


def judge_maps(maps: HeatMaps, cases: Sequence[Case]) -> Judged:
    """Judge a set of maps on some of its images; the maps are read one at a time."""
    positions = positions_of(maps)

    def map_of(case: Case) -> tuple[HeatMap, Area]:
        position = positions[normalise_image_id(case.image_id)]
        return maps[position], maps.card.images[position].area

    return _judge(maps.card.label, map_of, cases)


def judge_prior(prior: CentrePrior, cases: Sequence[Case]) -> Judged:
    """Judge the centre prior, the same map for the whole of each image."""

    def map_of(case: Case) -> tuple[HeatMap, Area]:
        return prior.values, (0.0, 0.0, float(case.width), float(case.height))

    return replace(_judge(LABEL, map_of, cases), equal_maxima=False)


def _judge(
    label: str, map_of: Callable[[Case], tuple[HeatMap, Area]], cases: Sequence[Case]
) -> Judged:
    cases = [case for case in cases if case.role in ("located", "normal")]
    patient = clusters_of(np.array([case.patient_id for case in cases]))
    rows, box_scores, false_scores, maxima = [], [], [], []
    marked = 0
    for case in track(cases, len(cases), "judge heat maps", brief=True):
        values, area = map_of(case)
        marks = find_marks(values, area, case.height, case.width)
        found = detections(marks, case.boxes)
        box_scores.append(found.box_score)
        false_scores.append(found.false_score)
        marked += marks.score.size
        highest = float(values.max())
        maxima.append(highest if highest > float(values.min()) else np.nan)
        if case.role == "located":
            of_map = agreement(values, case.boxes, area, case.height, case.width)
            rows.append([getattr(of_map, name) for name in AGREEMENT])
    located = np.array([case.role == "located" for case in cases])
    with_contrast = np.array(maxima)[~np.isnan(maxima)]
    return Judged(
        label=label,
        image_id=tuple(case.image_id for case in cases),
        located=located,
        agreement=np.array(rows, np.float64),
        located_cluster=np.unique(patient[located], return_inverse=True)[1].astype(np.int64),
        marks=ScoredMarks(
            image_cluster=patient,
            lesion_score=np.concatenate(box_scores),
            lesion_cluster=np.repeat(patient, [scores.size for scores in box_scores]),
            false_score=np.concatenate(false_scores),
            false_cluster=np.repeat(patient, [scores.size for scores in false_scores]),
        ),
        marks_per_image=marked / len(cases),
        flat=len(cases) - with_contrast.size,
        equal_maxima=with_contrast.size > 1 and bool(np.ptp(with_contrast) == 0),
    )
