"""The plots of a report: each function takes arrays or numbers and returns a matplotlib figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from elbow_core.evaluation.report.content import CalibrationBin
from elbow_core.evaluation.report.figures.style import (
    GREY,
    HATCHES,
    INJURY,
    NORMAL,
    canvas,
    drawn_in_style,
    line_style,
    panels,
)
from elbow_core.evaluation.statistics import (
    THRESHOLD_PROBABILITIES,
    Band,
    Confusion,
    treat_all,
)

HISTOGRAM_BINS = 20
CELL = "#2F78B0"
WIDTH, HEIGHT = 3.9, 3.6
"""Inches of a figure of curves."""


@drawn_in_style
def confusion_figure(titles: Sequence[str], counts: Sequence[Confusion]) -> Figure:
    """Plot a 2 x 2 matrix for each threshold of one model: counts, and share of the label's row."""
    columns = min(2, len(titles))
    figure = canvas(columns=columns, rows=-(-len(titles) // columns), width=1.65, height=1.8)
    for index, axes in enumerate(panels(figure)):
        if index < len(titles):
            _confusion(axes, counts[index])
            axes.set_title(titles[index])
        else:
            axes.set_axis_off()
    return figure


def _confusion(axes: Axes, counts: Confusion) -> None:
    matrix = [[counts.tn, counts.fp], [counts.fn, counts.tp]]
    shares = [[count / max(sum(row), 1) for count in row] for row in matrix]
    for row in (0, 1):
        for column in (0, 1):
            share = shares[row][column]
            # At most this opaque, the colour leaves its text legible, on a dark page too.
            colour = to_rgba(CELL, 0.75 * share)
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour))
            text = f"{matrix[row][column]}\n{share:.1%}"
            axes.text(column, row, text, ha="center", va="center")
    axes.set(xlim=(-0.5, 1.5), ylim=(1.5, -0.5))
    axes.set_aspect("equal")
    axes.set_xticks((0, 1), ("normal", "injury"))
    axes.set_yticks((0, 1), ("normal", "injury"), rotation=90, va="center")
    axes.set(xlabel="predicted", ylabel="label")
    axes.spines[["top", "right"]].set_visible(True)
    axes.tick_params(length=0)
    axes.grid(visible=False)


@drawn_in_style
def roc_figure(bands: Mapping[str, Band], points: Mapping[str, tuple[float, float]]) -> Figure:
    """Plot ROC curves with 95 % bands; a dot marks each model's default threshold."""
    figure = canvas(width=WIDTH, height=HEIGHT)
    (axes,) = panels(figure)
    for index, (name, band) in enumerate(bands.items()):
        _curve(axes, band, name, index)
        axes.plot(*points[name], marker="o", markersize=4, color=line_style(index)["color"])
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.legend(loc="lower right")
    return figure


@drawn_in_style
def precision_recall_figure(bands: Mapping[str, Band], prevalence: float) -> Figure:
    """Plot precision-recall curves with 95 % bands; the line is the precision of chance."""
    figure = canvas(width=WIDTH, height=HEIGHT)
    (axes,) = panels(figure)
    for index, (name, band) in enumerate(bands.items()):
        _curve(axes, band, name, index)
    axes.axhline(prevalence, color=GREY, linewidth=0.8)
    axes.set(xlabel="sensitivity (recall)", ylabel="precision")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.legend(loc="lower left")
    return figure


def _curve(axes: Axes, band: Band, name: str, index: int) -> None:
    style = line_style(index)
    axes.fill_between(band.x, band.low, band.high, color=style["color"], alpha=0.15, linewidth=0)
    axes.plot(band.x, band.y, label=name, **style)


@drawn_in_style
def calibration_figure(bins: Mapping[str, Sequence[CalibrationBin]]) -> Figure:
    """Plot the injured fraction by mean score, with Wilson's intervals; the line is perfect."""
    figure = canvas(width=WIDTH, height=HEIGHT)
    (axes,) = panels(figure)
    axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8)
    for index, (name, rows) in enumerate(bins.items()):
        known = [row for row in rows if row.images]
        fraction = np.array([row.injured_fraction for row in known])
        errors = [
            np.maximum(fraction - [row.low for row in known], 0),
            np.maximum([row.high for row in known] - fraction, 0),
        ]
        axes.errorbar(
            [row.mean_score for row in known],
            fraction,
            yerr=errors,
            label=name,
            marker="osD^vPX"[index % 7],
            markersize=3.5,
            elinewidth=0.8,
            **line_style(index),
        )
    axes.set(xlabel="mean score", ylabel="injured fraction", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.legend(loc="upper left")
    return figure


@drawn_in_style
def decision_figure(bands: Mapping[str, Band], prevalence: float) -> Figure:
    """Plot net benefit by threshold probability, beside calling all or no image injured."""
    figure = canvas(width=WIDTH, height=HEIGHT)
    (axes,) = panels(figure)
    for index, (name, band) in enumerate(bands.items()):
        _curve(axes, band, name, index)
    axes.plot(
        THRESHOLD_PROBABILITIES, treat_all(prevalence), color=GREY, linewidth=1, label="all injured"
    )
    axes.axhline(0, color="black", linewidth=0.8, label="none injured")
    top = max(prevalence, 0.05)
    axes.set(xlabel="chance of injury at which one would act", ylabel="net benefit")
    axes.set(xlim=(0, 1), ylim=(-0.2 * top, 1.1 * top))
    axes.legend(loc="upper right")
    return figure


@drawn_in_style
def histogram_figure(
    labels: Int64[np.ndarray, " n"], scores: Float64[np.ndarray, " n"], threshold: float
) -> Figure:
    """Plot one model's scores of normal and injured images; the dashed line is the threshold."""
    figure = canvas(width=WIDTH, height=2.2)
    (axes,) = panels(figure)
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    legend = {}
    for label, colour, kind in ((0, NORMAL, "normal"), (1, INJURY, "injury")):
        shown = scores[labels == label]
        # Hatches are drawn by themselves: an SVG would draw them as transparent as the area.
        area: dict[str, Any] = {"facecolor": to_rgba(colour, 0.35)}
        hatched: dict[str, Any] = {
            "facecolor": "none",
            "edgecolor": colour,
            "linewidth": 1.2,
            "hatch": HATCHES[label],
        }
        for style in (area, hatched):
            axes.hist(shown, bins=list(edges), histtype="stepfilled", **style)
        legend[f"{kind} ({shown.size})"] = (Patch(**area), Patch(**hatched))
    axes.axvline(threshold, color="black", linestyle="--", linewidth=0.9)
    axes.set(xlabel="score, P(injury)", ylabel="images", xlim=(0, 1))
    axes.legend(list(legend.values()), list(legend), loc="upper center")
    return figure
