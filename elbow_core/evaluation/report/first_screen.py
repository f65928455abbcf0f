"""The first screen of a report: the question, the set, the answer, and one row for each model."""

import math

from elbow_core.evaluation.report.content import ModelSummary, ReportContent
from elbow_core.evaluation.report.headline import headline
from elbow_core.evaluation.report.rendering import (
    Block,
    Interval,
    IntervalRow,
    IntervalTable,
    Paragraph,
)
from elbow_core.evaluation.report.tables import NAMES, number, with_interval

COLUMNS = ("auroc", "sensitivity", "specificity")


def first_screen(content: ReportContent) -> list[Block]:
    """Return the blocks before the first section."""
    areas = {name: found.metrics["auroc"] for name, found in content.models.items()}
    answer, difference = headline(areas, content.comparisons)
    draws = f"Intervals are 95 %, from {content.draws} bootstrap draws (seed {content.seed})."
    return [
        Paragraph(f"{_question(content)} {_set(content)}"),
        Paragraph(answer, lead=True),
        models_table(content),
        Paragraph(f"{difference} {draws}".strip()),
        *map(Paragraph, content.notes),
    ]


def models_table(content: ReportContent) -> IntervalTable:
    """One row per model, the largest area first: area, and both rates at the default threshold."""
    models = list(content.models.items())
    order = sorted(range(len(models)), key=lambda index: _last_if_undefined(models[index][1]))
    thresholds = {number(found.overall["threshold"]) for _, found in models}
    several = len(thresholds) > 1
    rows = tuple(_row(*models[index], series=index, threshold=several) for index in order)
    at = "each model's default threshold" if several else f"the threshold {thresholds.pop()}"
    first = "; the largest area first" if len(models) > 1 else ""
    header = ("Model", *(NAMES[name] for name in COLUMNS), *(["Threshold"] if several else []))
    return IntervalTable(
        f"{NAMES['auroc']}, and both rates at {at}; 95 % intervals{first}", header, rows
    )


def _row(name: str, model: ModelSummary, series: int, threshold: bool) -> IntervalRow:
    metrics = [model.metrics[column] for column in COLUMNS]
    cells = [
        Interval(metric.value, metric.low, metric.high, with_interval(metric)) for metric in metrics
    ]
    last = [number(model.overall["threshold"])] if threshold else []
    return IntervalRow(name, (*cells, *last), series)


def _last_if_undefined(model: ModelSummary) -> float:
    area = model.metrics["auroc"].value
    return math.inf if math.isnan(area) else -area


def _question(content: ReportContent) -> str:
    names = list(content.models)
    models = f"do these {len(names)} models" if len(names) > 1 else f"does {names[0]}"
    return f"How well {models} tell injured images from normal ones?"


def _set(content: ReportContent) -> str:
    patients = f" of {content.patients} patients" if content.patients else ""
    return f"{content.images} images{patients}: {content.injured} injured, {content.normal} normal."
