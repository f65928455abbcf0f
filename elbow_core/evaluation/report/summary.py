"""The numbers of a report, as plain dictionaries: what metrics.json holds (docs/evaluation.md)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elbow_core.evaluation.operating_points import OperatingPoint
from elbow_core.evaluation.predictions import UNPARSED, Predictions
from elbow_core.evaluation.statistics.calibration import (
    apply_temperature,
    calibration_line,
    reliability,
)
from elbow_core.evaluation.statistics.clusters import clusters_of
from elbow_core.evaluation.statistics.comparison import Difference, delong, holm, mcnemar
from elbow_core.evaluation.statistics.intervals import (
    Interval,
    decision_intervals,
    metric_intervals,
    score_intervals,
    wilson,
)
from elbow_core.evaluation.statistics.metrics import (
    ECE_BINS,
    binary_metrics,
    confusion_counts,
    expected_calibration_error,
    ratios_from_counts,
    undefined_figures,
)
from elbow_core.evaluation.studies import by_study
from elbow_core.evaluation.subgroups import group_figures, groups_of

WORST = 12


def model_summary(
    predictions: Predictions,
    points: Mapping[str, OperatingPoint],
    temperature: float | None,
    attributes: Mapping[str, np.ndarray] | None,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Everything about one model; ``points["default"]`` is the threshold of its first figures."""
    labels, scores = predictions.label, predictions.score
    clusters = clusters_of(predictions.patient_id)
    threshold = points["default"].threshold
    summary: dict[str, Any] = {
        **binary_metrics(labels, scores, threshold),
        "operating_points": {
            name: {
                "threshold": point.threshold,
                "chosen_on": point.chosen_on,
                **decisions(labels, scores >= point.threshold, clusters, draws, seed),
            }
            for name, point in points.items()
        },
        "calibration": calibration(labels, scores, temperature),
        "studies": study_summary(predictions, threshold, draws, seed),
        "subgroups": [],
        "worst": worst_errors(predictions, threshold),
    }
    at_default = summary["operating_points"]["default"]["figures"]
    of_scores = score_intervals(labels, scores, clusters, draws, seed)
    summary["intervals"] = {
        **{name: _without_value(figure) for name, figure in at_default.items()},
        **{
            name: _ends(interval, summary["undefined"].get(name, ""))
            for name, interval in of_scores.items()
        },
    }
    if predictions.answer is not None:
        summary["answers"] = answer_summary(predictions, clusters, draws, seed)
    for attribute, group, of in groups_of(attributes or {}):
        found = group_figures(labels[of], scores[of], scores[of] >= threshold, clusters[of])
        summary["subgroups"].append(
            {
                "attribute": attribute,
                "group": group,
                "images": found.images,
                "injured": found.injured,
                "figures": {
                    name: _figure(value, found.intervals[name])
                    for name, value in found.values.items()
                },
            }
        )
    return summary


def decisions(
    labels: np.ndarray, predicted: np.ndarray, clusters: np.ndarray, draws: int, seed: int
) -> dict[str, Any]:
    """The 2 x 2 matrix of one set of decisions and the figures that it decides."""
    tp, fp, tn, fn = confusion_counts(labels, predicted)
    values = {name: float(value) for name, value in ratios_from_counts(tp, fp, tn, fn).items()}
    values["sensitivity"] = values["recall"]
    reasons = undefined_figures(tp, fp, tn, fn)
    intervals = decision_intervals(labels, predicted, clusters, draws, seed)
    return {
        "confusion": {"tp": tp, "fp": fp, "tn": tn, "fn": fn},
        "figures": {
            name: _figure(value, intervals[name], reasons.get(name, ""))
            for name, value in values.items()
        },
    }


def answer_summary(
    predictions: Predictions, clusters: np.ndarray, draws: int, seed: int
) -> dict[str, Any]:
    """Figures of generated answers; one that names neither class is wrong, whatever the label."""
    unparsed = predictions.prediction == UNPARSED
    taken = np.where(unparsed, 1 - predictions.label, predictions.prediction)
    return {
        "unparsed": int(unparsed.sum()),
        **decisions(predictions.label, taken, clusters, draws, seed),
    }


def calibration(
    labels: np.ndarray, scores: np.ndarray, temperature: float | None
) -> dict[str, Any]:
    """Bins, slope and intercept; and what a temperature fitted on validation makes of them."""
    bins, line = reliability(labels, scores), calibration_line(labels, scores)
    edges = np.linspace(0, 1, ECE_BINS + 1)
    ends = [
        wilson(int(injured), int(count))
        for injured, count in zip(bins.injured, bins.count, strict=True)
    ]
    found: dict[str, Any] = {
        "slope": line.slope,
        "intercept": line.intercept,
        "reason": line.reason,
        "bins": [
            {
                "from": float(edges[index]),
                "to": float(edges[index + 1]),
                "images": int(bins.count[index]),
                "injured": int(bins.injured[index]),
                "mean_score": float(bins.mean_score[index]),
                "injured_fraction": float(bins.injured_fraction[index]),
                "low": ends[index][0],
                "high": ends[index][1],
            }
            for index in range(ECE_BINS)
        ],
        "temperature": temperature,
    }
    if temperature is not None:
        cooled = apply_temperature(scores, temperature)
        after = calibration_line(labels, cooled)
        found["after_temperature"] = {
            "slope": after.slope,
            "intercept": after.intercept,
            "brier": float(np.mean((cooled - labels) ** 2)),
            "ece": expected_calibration_error(labels, cooled),
        }
    return found


def study_summary(
    predictions: Predictions, threshold: float, draws: int, seed: int
) -> dict[str, Any] | None:
    """Figures by study, scored by mean and by highest of its images; None without studies."""
    studies = by_study(predictions)
    if studies is None:
        return None
    clusters = clusters_of(studies.patient_id)
    found: dict[str, Any] = {
        "studies": studies.label.size,
        "injured": int(studies.label.sum()),
        "mixed": studies.mixed,
    }
    for name, scores in (("mean", studies.mean), ("highest", studies.highest)):
        values = binary_metrics(studies.label, scores, threshold)
        intervals = metric_intervals(studies.label, scores, clusters, threshold, draws, seed)
        found[name] = {
            figure: _figure(values[figure], interval, values["undefined"].get(figure, ""))
            for figure, interval in intervals.items()
        }
    return found


def worst_errors(predictions: Predictions, threshold: float) -> list[dict[str, Any]]:
    """The wrong decisions whose scores are farthest from the label, worst first."""
    wrong = (predictions.score >= threshold) != (predictions.label == 1)
    distance = np.where(wrong, np.abs(predictions.score - predictions.label), -1.0)
    order = np.argsort(-distance, kind="stable")[: min(WORST, int(wrong.sum()))]
    return [
        {
            "image_id": str(predictions.image_id[row]),
            "label": int(predictions.label[row]),
            "score": float(predictions.score[row]),
        }
        for row in order
    ]


def comparisons(
    predictions: Sequence[Predictions], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """Every pair of models by AUROC and by decisions; p adjusted over the pairs of a figure."""
    rows: list[dict[str, Any]] = []
    for second in range(len(predictions)):
        for first in range(second):
            pair = [predictions[first], predictions[second]]
            cuts = [thresholds[first], thresholds[second]]
            for figure, found in _differences(pair, cuts).items():
                rows.append(
                    {
                        "first": pair[0].model,
                        "second": pair[1].model,
                        "figure": figure,
                        "estimate": found.estimate,
                        "low": found.low,
                        "high": found.high,
                        "p": found.p,
                        "test": found.test,
                        "reason": found.reason,
                    }
                )
    for figure in {row["figure"] for row in rows}:
        of_figure = [row for row in rows if row["figure"] == figure]
        for row, adjusted in zip(of_figure, holm([row["p"] for row in of_figure]), strict=True):
            row["p_holm"] = adjusted
    return rows


def _differences(pair: Sequence[Predictions], cuts: Sequence[float]) -> dict[str, Difference]:
    labels, clusters = pair[0].label, clusters_of(pair[0].patient_id)
    positive = labels == 1
    right = [(model.score >= cut) == positive for model, cut in zip(pair, cuts, strict=True)]
    found = {"auroc": delong(labels, pair[0].score, pair[1].score, clusters)}
    for figure, of in (
        ("accuracy", np.ones_like(positive)),
        ("sensitivity", positive),
        ("specificity", ~positive),
    ):
        found[figure] = mcnemar(right[0][of], right[1][of], clusters[of])
    return found


def json_ready(value: Any) -> Any:
    """The value with nan as null, which JSON can hold; a reason stands beside each."""
    if isinstance(value, Mapping):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _figure(value: float, interval: Interval, reason: str = "") -> dict[str, Any]:
    return {"value": value, **_ends(interval, reason)}


def _ends(interval: Interval, reason: str) -> dict[str, Any]:
    return {
        "low": interval.low,
        "high": interval.high,
        "method": interval.method,
        "reason": reason or interval.reason,
    }


def _without_value(figure: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in figure.items() if name != "value"}
