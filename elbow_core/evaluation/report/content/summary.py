"""Computation of all numbers about one model."""

from collections.abc import Mapping, Sequence

import numpy as np

from elbow_core.evaluation.operating_points import OperatingPoint
from elbow_core.evaluation.predictions import UNPARSED, Predictions
from elbow_core.evaluation.report.content.decisions import (
    OperatingPointSummary,
    decisions,
    metric,
)
from elbow_core.evaluation.report.content.gaps import gap_summaries
from elbow_core.evaluation.report.content.structure import (
    AnswerSummary,
    CalibrationBin,
    CalibrationSummary,
    ModelSummary,
    RecalibratedSummary,
    SubgroupSummary,
    WorstError,
)
from elbow_core.evaluation.report.content.studies import study_summary
from elbow_core.evaluation.statistics import binary_metrics, clusters_of, score_intervals, wilson
from elbow_core.evaluation.statistics.calibration import (
    ECE_BINS,
    apply_temperature,
    calibration_line,
    expected_calibration_error,
    reliability_bins,
)
from elbow_core.evaluation.studies import JoinedStudies
from elbow_core.evaluation.subgroups import Grouping, group_metrics

WORST = 12


def model_summary(
    predictions: Predictions,
    points: Mapping[str, OperatingPoint],
    temperature: float | None,
    groupings: Sequence[Grouping],
    studies: JoinedStudies | None,
    draws: int,
    seed: int,
) -> ModelSummary:
    """Return all numbers about one model; ``points["default"]`` is its default threshold."""
    labels, scores = predictions.label, predictions.score
    clusters = clusters_of(predictions.patient_id)
    threshold = points["default"].threshold
    overall = binary_metrics(labels, scores, threshold)
    point_summaries = {
        name: OperatingPointSummary(
            point.threshold,
            point.chosen_on,
            decisions(labels, scores >= point.threshold, clusters, draws, seed),
        )
        for name, point in points.items()
    }
    of_scores = {
        name: metric(overall[name], interval, overall["undefined"].get(name, ""))
        for name, interval in score_intervals(labels, scores, clusters, draws, seed).items()
    }
    return ModelSummary(
        overall=overall,
        metrics={**point_summaries["default"].decisions.metrics, **of_scores},
        operating_points=point_summaries,
        calibration=calibration_summary(labels, scores, temperature),
        studies=None if studies is None else study_summary(studies, draws, seed),
        subgroups=subgroup_summaries(predictions, threshold, clusters, groupings),
        gaps=gap_summaries(predictions, threshold, clusters, groupings, seed),
        worst=worst_errors(predictions, threshold),
        answers=None
        if predictions.answer is None
        else answer_summary(predictions, clusters, draws, seed),
    )


def answer_summary(
    predictions: Predictions, clusters: np.ndarray, draws: int, seed: int
) -> AnswerSummary:
    """Return the metrics of generated answers; an answer that names neither class is wrong."""
    unparsed = predictions.prediction == UNPARSED
    decided = np.where(unparsed, 1 - predictions.label, predictions.prediction)
    return AnswerSummary(
        int(unparsed.sum()), decisions(predictions.label, decided, clusters, draws, seed)
    )


def calibration_summary(
    labels: np.ndarray, scores: np.ndarray, temperature: float | None
) -> CalibrationSummary:
    """Return bins, slope and intercept, and the calibration after temperature scaling."""
    bins, line = reliability_bins(labels, scores), calibration_line(labels, scores)
    edges = np.linspace(0, 1, ECE_BINS + 1)
    ends = [
        wilson(int(injured), int(count))
        for injured, count in zip(bins.injured, bins.count, strict=True)
    ]
    return CalibrationSummary(
        slope=line.slope,
        intercept=line.intercept,
        reason=line.reason,
        bins=[
            CalibrationBin(
                left=float(edges[index]),
                right=float(edges[index + 1]),
                images=int(bins.count[index]),
                injured=int(bins.injured[index]),
                mean_score=float(bins.mean_score[index]),
                injured_fraction=float(bins.injured_fraction[index]),
                low=ends[index][0],
                high=ends[index][1],
            )
            for index in range(ECE_BINS)
        ],
        temperature=temperature,
        after_temperature=None
        if temperature is None
        else _recalibrated(labels, apply_temperature(scores, temperature)),
    )


def _recalibrated(labels: np.ndarray, scores: np.ndarray) -> RecalibratedSummary:
    line = calibration_line(labels, scores)
    return RecalibratedSummary(
        slope=line.slope,
        intercept=line.intercept,
        brier=float(np.mean((scores - labels) ** 2)),
        ece=expected_calibration_error(labels, scores),
    )


def subgroup_summaries(
    predictions: Predictions,
    threshold: float,
    clusters: np.ndarray,
    groupings: Sequence[Grouping],
) -> list[SubgroupSummary]:
    """Return the metrics of every subgroup, attribute by attribute."""
    labels, scores = predictions.label, predictions.score
    summaries = []
    for grouping in groupings:
        for number, group in enumerate(grouping.groups):
            of = grouping.number == number
            found = group_metrics(labels[of], scores[of], scores[of] >= threshold, clusters[of])
            metrics = {
                name: metric(value, found.intervals[name]) for name, value in found.values.items()
            }
            summaries.append(
                SubgroupSummary(grouping.attribute, group, found.images, found.injured, metrics)
            )
    return summaries


def worst_errors(predictions: Predictions, threshold: float) -> list[WorstError]:
    """Return the wrong decisions whose scores are farthest from the label, worst first."""
    wrong = (predictions.score >= threshold) != (predictions.label == 1)
    distance = np.where(wrong, np.abs(predictions.score - predictions.label), -1.0)
    order = np.argsort(-distance, kind="stable")[: min(WORST, int(wrong.sum()))]
    return [
        WorstError(
            str(predictions.image_id[row]),
            int(predictions.label[row]),
            float(predictions.score[row]),
        )
        for row in order
    ]
