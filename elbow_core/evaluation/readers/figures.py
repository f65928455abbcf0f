"""The figures of a study's report: ROC curves by reader, and the readers' differences."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from elbow_core.evaluation.readers.analysis import MetricAnalysis, StudyAnalysis
from elbow_core.evaluation.readers.cells import METRICS, POPULATION_NAMES, difference, number
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.evaluation.report.figures import (
    COLOURS,
    GREY,
    canvas,
    drawn_in_style,
    line_style,
    panels,
    save_svg,
)
from elbow_core.evaluation.report.rendering import Picture
from elbow_core.evaluation.statistics import roc_points
from elbow_core.evaluation.statistics.multireader import Estimate
from elbow_core.printable import one_line

FOLDER = "figures"
MAX_PANELS = 24
"""Readers whose ROC curves are drawn, and pairs of modalities whose differences are."""


def draw_figures(folder: Path, analysis: StudyAnalysis) -> dict[str, Picture]:
    """Write the figures into ``folder``; return the pictures by name."""
    study, drawn = analysis.study, {}
    if "auroc" in analysis.metrics:
        drawn["roc"] = (roc_figure(study), *_roc_texts(analysis))
    if len(study.modalities) > 1:
        for metric, of in analysis.metrics.items():
            drawn[f"differences_{metric}"] = (
                differences_figure(analysis, of),
                *_differences_texts(analysis, of),
            )
    (folder / FOLDER).mkdir()
    pictures = {}
    for name, (figure, alt, caption) in drawn.items():
        path = f"{FOLDER}/{name}.svg"
        save_svg(figure, folder / path)
        pictures[name] = Picture(path, alt, caption)
    return pictures


@drawn_in_style
def roc_figure(study: ReaderStudy) -> Figure:
    """Plot one panel per reader, with the ROC curve of each modality."""
    readers = study.readers[:MAX_PANELS]
    columns = min(4, math.ceil(math.sqrt(len(readers))))
    figure = canvas(columns=columns, rows=-(-len(readers) // columns), width=2.0, height=2.1)
    for reader, axes in enumerate(panels(figure)):
        if reader >= len(readers):
            axes.set_axis_off()
            continue
        axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8)
        for modality, name in enumerate(study.modalities):
            x, y = roc_points(study.truth, study.ratings[modality, reader])
            axes.plot(x, y, label=one_line(name), **line_style(modality))
        axes.set(title=one_line(readers[reader]), xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set_aspect("equal")
        if reader % columns == 0:
            axes.set_ylabel("sensitivity")
        if reader + columns >= len(readers):
            axes.set_xlabel("1 - specificity")
    lines = panels(figure)[0].get_lines()[1:]
    figure.legend(handles=lines, loc="outside lower center", ncols=min(4, len(lines)))
    return figure


@drawn_in_style
def differences_figure(analysis: StudyAnalysis, of: MetricAnalysis) -> Figure:
    """Plot one panel per pair of modalities: the difference of each reader and of their mean."""
    study = analysis.study
    pairs = list(of.reader_differences)[:MAX_PANELS]
    columns = min(3, len(pairs))
    height = 0.8 + 0.2 * (len(study.readers) + 1)
    figure = canvas(columns=columns, rows=-(-len(pairs) // columns), width=3.5, height=height)
    means = {
        (row.first, row.second): row.estimate
        for row in of.inferences[analysis.settings.population].differences
    }
    for number_of_panel, axes in enumerate(panels(figure)):
        if number_of_panel >= len(pairs):
            axes.set_axis_off()
            continue
        pair = pairs[number_of_panel]
        rows = [estimate for estimate, _ in of.reader_differences[pair]]
        _forest(axes, rows, means[pair], study.readers)
        first, second = (one_line(study.modalities[modality]) for modality in pair)
        axes.set(xlabel=f"{METRICS[of.accuracy.metric]}, {first} minus {second}")
    return figure


def _forest(axes: Axes, rows: Sequence[Estimate], mean: Estimate, readers: Sequence[str]) -> None:
    """Draw one line per reader from the top, and the mean with its interval below them."""
    axes.axvline(0, color=GREY, linewidth=0.8)
    for place, row in enumerate((*rows, mean)):
        last = place == len(rows)
        colour = COLOURS[1] if last else COLOURS[0]
        if not math.isnan(row.low):
            axes.plot((row.low, row.high), (place, place), color=colour)
        axes.plot(row.value, place, marker="D" if last else "o", markersize=4, color=colour)
    axes.set_yticks(np.arange(len(rows) + 1), [*map(one_line, readers), "mean"])
    axes.set_ylim(len(rows) + 0.6, -0.6)
    axes.grid(visible=False, axis="y")


def _roc_texts(analysis: StudyAnalysis) -> tuple[str, str]:
    study, of = analysis.study, analysis.metrics["auroc"]
    means = "; ".join(
        f"{name} {number(float(mean))}"
        for name, mean in zip(study.modalities, of.accuracy.values.mean(axis=1), strict=True)
    )
    shown = (
        f" of the first {MAX_PANELS} of {len(study.readers)} readers"
        if len(study.readers) > MAX_PANELS
        else " of each reader"
    )
    return (
        f"ROC curves{shown} with each modality. Mean areas: {means}.",
        f"Empirical ROC curves{shown}, by modality; the grey line is guessing.",
    )


def _differences_texts(analysis: StudyAnalysis, of: MetricAnalysis) -> tuple[str, str]:
    settings, names = analysis.settings, analysis.study.modalities
    found = "; ".join(
        f"{names[row.first]} minus {names[row.second]} {difference(row.estimate)}"
        for row in of.inferences[settings.population].differences[:MAX_PANELS]
    )
    metric = METRICS[of.accuracy.metric]
    return (
        f"Differences of {metric} of each reader and of their mean. Means: {found}.",
        f"Differences of {metric} with {100 * settings.confidence:g} % intervals: of each reader "
        f"over random cases; of the mean over {POPULATION_NAMES[settings.population]}.",
    )
