"""Metrics per study, for each way to join the images of one: records and computation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from elbow_core.evaluation.report.content.decisions import (
    Metric,
    OperatingPointSummary,
    decisions,
    metric,
)
from elbow_core.evaluation.statistics import auroc, clusters_of, score_intervals
from elbow_core.evaluation.statistics.differences import Difference, delong, mcnemar
from elbow_core.evaluation.studies import MEAN_OF_LOGITS, JoinedStudies, LearntJoin

NO_CLASS = "the studies are all of one class"


@dataclass(frozen=True, slots=True)
class JoinDifferences:
    """One way to join minus the mean of logits, paired by study, each at its own thresholds."""

    auroc: Difference
    points: Mapping[str, Mapping[str, Difference]]
    """Of sensitivity and specificity, by operating point."""


@dataclass(frozen=True, slots=True)
class JoinSummary:
    """One way to join the images of a study, at its own frozen operating points.

    ``differences`` are to the mean of logits, which itself has none.
    """

    auroc: Metric
    operating_points: Mapping[str, OperatingPointSummary]
    differences: JoinDifferences | None


@dataclass(frozen=True, slots=True)
class StudySummary:
    """Metrics per study by way to join; ``several`` counts the studies of several images.

    ``learnt`` is None, with a ``reason``, where no learnt join could be fitted.
    """

    studies: int
    injured: int
    mixed: int
    several: int
    joins: Mapping[str, JoinSummary]
    learnt: LearntJoin | None
    reason: str


def study_summary(joined: JoinedStudies, draws: int, seed: int) -> StudySummary:
    """Return the metrics of each way to join, and its paired differences to the mean of logits.

    Areas have the bootstrap of patients, and differences DeLong's and McNemar's tests with patients
    as clusters, as for images.
    """
    studies = joined.studies
    clusters = clusters_of(studies.patient_id)
    joins = {}
    for name, scores in joined.scores.items():
        interval = score_intervals(studies.label, scores, clusters, draws, seed)["auroc"]
        area = auroc(studies.label, scores)
        points = {
            point: OperatingPointSummary(
                chosen.threshold,
                chosen.chosen_on,
                decisions(studies.label, scores >= chosen.threshold, clusters, draws, seed),
            )
            for point, chosen in joined.points[name].items()
        }
        joins[name] = JoinSummary(
            auroc=metric(area, interval, NO_CLASS if np.isnan(area) else ""),
            operating_points=points,
            differences=None if name == MEAN_OF_LOGITS else _differences(joined, name, clusters),
        )
    return StudySummary(
        studies=studies.label.size,
        injured=int(studies.label.sum()),
        mixed=studies.mixed,
        several=int(np.count_nonzero(studies.images > 1)),
        joins=joins,
        learnt=joined.learnt,
        reason=joined.reason,
    )


def _differences(joined: JoinedStudies, name: str, clusters: np.ndarray) -> JoinDifferences:
    labels, positive = joined.studies.label, joined.studies.label == 1
    ours, theirs = joined.scores[name], joined.scores[MEAN_OF_LOGITS]
    points = {}
    for point, chosen in joined.points[name].items():
        other = joined.points[MEAN_OF_LOGITS][point]
        right = [
            (scores >= threshold) == positive
            for scores, threshold in ((ours, chosen.threshold), (theirs, other.threshold))
        ]
        points[point] = {
            of_class: mcnemar(right[0][of], right[1][of], clusters[of])
            for of_class, of in (("sensitivity", positive), ("specificity", ~positive))
        }
    return JoinDifferences(delong(labels, ours, theirs, clusters), points)
