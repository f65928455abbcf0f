"""Numbers of a report as text cells and tables."""

import math
from collections.abc import Mapping, Sequence

from elbow_core.evaluation.report.content import Comparison, Metric, ModelSummary
from elbow_core.evaluation.report.rendering import Table

NAMES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "npv": "NPV",
    "f1": "F1 score",
    "kappa": "Cohen's kappa",
    "mcc": "MCC",
    "balanced_accuracy": "Balanced accuracy",
    "auroc": "AUC-ROC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "ece": "Calibration error",
}
MAIN_METRICS = ("accuracy", "precision", "recall", "f1", "auroc")
FURTHER_METRICS = ("specificity", "npv", "balanced_accuracy", "kappa", "mcc")
SCORE_METRICS = ("average_precision", "brier", "ece")
ANSWER_METRICS = ("accuracy", "precision", "recall", "f1", "specificity")
OPERATING_POINT_METRICS = ("sensitivity", "specificity", "precision", "npv")
GROUP_METRICS = ("accuracy", "sensitivity", "specificity", "auroc")
UNDEFINED = "–"
LONG = 8
"""Rows of a table from which on it is folded where its section has another summary of it."""


def number(value: float | None, decimals: int = 3) -> str:
    """Format a fraction; a dash where it is undefined."""
    return UNDEFINED if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def with_interval(metric: Metric) -> str:
    """Format as ``0.925 (0.897 to 0.946)``; without ends where there is no interval."""
    return estimate(metric.value, metric.low, metric.high)


def p_value(p: float) -> str:
    """Format with three decimals, or as ``<0.001``; a dash where it is undefined."""
    return UNDEFINED if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def point_name(name: str) -> str:
    """Return an operating point's name for readers."""
    return {
        "youden": "Youden",
        "sensitivity_95": "Sensitivity 0.95",
        "specificity_95": "Specificity 0.95",
    }.get(name, name.replace("_", " ").capitalize())


def results_table(
    models: Mapping[str, ModelSummary], names: Sequence[str], caption: str, folded: bool = False
) -> Table:
    """One row per model, one column per metric, each with its interval."""
    rows = (
        (model, *(with_interval(found.metrics[name]) for name in names))
        for model, found in models.items()
    )
    return Table(caption, ("Model", *(NAMES[name] for name in names)), tuple(rows), folded=folded)


def answers_table(models: Mapping[str, ModelSummary], caption: str) -> Table:
    """Metrics of generated answers, one row per model that generates them."""
    rows = (
        (
            model,
            *(with_interval(found.answers.decisions.metrics[name]) for name in ANSWER_METRICS),
            str(found.answers.unparsed),
        )
        for model, found in models.items()
        if found.answers is not None
    )
    header = ("Model", *(NAMES[name] for name in ANSWER_METRICS), "Unparsed answers")
    return Table(caption, header, tuple(rows))


def points_table(models: Mapping[str, ModelSummary], caption: str) -> Table:
    """One row per model and operating point."""
    rows = tuple(
        (
            f"{model}: {point_name(name)}",
            number(point.threshold),
            point.chosen_on,
            *(with_interval(point.decisions.metrics[name]) for name in OPERATING_POINT_METRICS),
        )
        for model, found in models.items()
        for name, point in found.operating_points.items()
    )
    names = (NAMES[name] for name in OPERATING_POINT_METRICS)
    header = ("Operating point", "Threshold", "Chosen on", *names)
    return Table(caption, header, rows, text_columns=(2,), folded=len(rows) > LONG)


def calibration_table(models: Mapping[str, ModelSummary], caption: str) -> Table:
    """Calibration of the scores, and after temperature scaling where there is a temperature."""
    rows = []
    for model, found in models.items():
        raw, after = found.calibration, found.calibration.after_temperature
        rows.append(
            (
                *(model, UNDEFINED, number(raw.slope), number(raw.intercept)),
                *(number(found.overall["brier"]), number(found.overall["ece"])),
            )
        )
        if after is not None:
            values = (raw.temperature, after.slope, after.intercept, after.brier, after.ece)
            rows.append((f"{model}, after temperature", *map(number, values)))
    header = ("Scores", "Temperature", "Slope", "Intercept", "Brier score", "Calibration error")
    return Table(caption, header, tuple(rows))


def comparison_table(comparisons: Sequence[Comparison], caption: str) -> Table:
    """First model minus second, one row per pair and metric."""
    rows = tuple(
        (
            f"{row.first} - {row.second}",
            NAMES[row.metric],
            estimate(row.difference.estimate, row.difference.low, row.difference.high),
            row.difference.test,
            p_value(row.difference.p),
            p_value(row.p_holm),
        )
        for row in comparisons
    )
    header = ("Models", "Metric", "Difference", "Test", "p", "p (Holm)")
    return Table(caption, header, rows, text_columns=(1, 3), folded=len(rows) > LONG)


def reasons(models: Mapping[str, ModelSummary]) -> tuple[str, ...]:
    """Explain each missing metric or interval of the results tables, one sentence each."""
    return tuple(
        f"{model}, {NAMES[name]}: {metric.reason}."
        for model, found in models.items()
        for name, metric in found.metrics.items()
        if metric.reason and name != "sensitivity"
    )


def estimate(value: float, low: float, high: float) -> str:
    """Format a value with its interval; without ends where there is no interval."""
    if any(map(math.isnan, (value, low, high))):
        return number(value)
    # Adding 0 makes a rounded -0 plain.
    value, low, high = (round(end, 3) + 0.0 for end in (value, low, high))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
