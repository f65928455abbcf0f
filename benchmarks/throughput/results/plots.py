"""One figure of a record: speed ratios, and cost by image size, batch and devices."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.throughput.cases import NETWORKS
from benchmarks.throughput.results.summary import (
    Comparison,
    comparisons,
    network_comparisons,
    spread,
)
from benchmarks.throughput.results.tables import TITLES, WORKS
from elbow_core.evaluation.report.figures import COLOURS, SETTINGS, canvas, drawn_in_style, panels
from elbow_core.files import atomic_file

DOTS_PER_INCH = 150
AXES = {"size": "pixels a side", "batch": "images in a batch", "devices": "devices"}


def draw(record: dict[str, Any]) -> Figure | None:
    """Ratios as bars, then cost as curves over each of `AXES`; None for a record without either."""
    compared = [
        one
        for one in network_comparisons(record["rows"])
        if one.jax is not None and one.torch is not None
    ]
    scale = [one for one in comparisons(record["rows"], "scale") if one.jax is not None]
    curves = [axis for axis in AXES if any(_on_curve(one, scale, axis) for one in scale)]
    contents = ["ratios"] * bool(compared) + curves
    return _draw(contents, compared, scale, record["name"]) if contents else None


@drawn_in_style
def _draw(
    contents: list[str], compared: list[Comparison], scale: list[Comparison], name: str
) -> Figure:
    figure = canvas(columns=min(2, len(contents)), rows=-(-len(contents) // 2), width=4.2)
    axes = panels(figure)
    for panel, content in zip(axes, contents, strict=False):
        if content == "ratios":
            _bars(panel, compared, name)
        else:
            _curves(panel, scale, content)
    for panel in axes[len(contents) :]:
        panel.set_axis_off()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG; equal figures are byte-identical."""
    with atomic_file(path) as partial, matplotlib.rc_context(SETTINGS):
        figure.savefig(partial, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


def _bars(axes: Axes, compared: list[Comparison], name: str) -> None:
    for place, one in enumerate(compared):
        ratios = one.ratios()
        middle = median(ratios)
        low, high = spread(ratios)
        colour = COLOURS[list(WORKS).index(one.case.work)]
        axes.barh(
            -place,
            middle,
            color=colour,
            xerr=[[middle - low], [high - middle]],
            error_kw={"lw": 0.8},
        )
    labels = [
        f"{TITLES[one.case.name]}, {one.case.size}, {WORKS[one.case.work]}" for one in compared
    ]
    axes.set_yticks([-place for place in range(len(compared))], labels)
    axes.axvline(1.0, color="k", lw=0.8)
    axes.set_xlabel("speed, JAX / PyTorch")
    axes.set_title(name, loc="right")  # spans the labels too: a processor's name may be long


def _curves(axes: Axes, scale: list[Comparison], axis: str) -> None:
    for number, network in enumerate(NETWORKS):
        own = [one for one in scale if one.case.name == network and _on_curve(one, scale, axis)]
        for framework, dashes in (("jax", "-"), ("torch", ":")):
            points = sorted(
                (getattr(one.case, axis), result.seconds / one.case.batch * 1e3)
                for one in own
                if (result := one.jax if framework == "jax" else one.torch) is not None
            )
            if points:
                label = TITLES[network] if framework == "jax" else None
                axes.plot(
                    *zip(*points, strict=True), dashes, marker=".", c=COLOURS[number], label=label
                )
    axes.set(xscale="log", yscale="log", xlabel=AXES[axis], ylabel="training step, ms/image")
    ticks = sorted({getattr(one.case, axis) for one in scale if _on_curve(one, scale, axis)})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.legend(title="JAX; dotted: PyTorch, eager" if axis != "devices" else None)


def _on_curve(one: Comparison, scale: list[Comparison], axis: str) -> bool:
    """Whether a case belongs to the curve over `axis`: the other two fields are the curve's."""
    case = one.case
    if axis == "size":
        # The curve over sizes has the batch that most sizes share.
        shared = [other.case.batch for other in scale if other.case.devices == 1]
        sizes = {
            batch: len({o.case.size for o in scale if o.case.batch == batch}) for batch in shared
        }
        return case.devices == 1 and case.batch == max(sizes, key=lambda batch: sizes[batch])
    sides = {other.case.size for other in scale if other.case.devices > 1}
    if axis == "batch":
        return case.devices == 1 and case.size in sides
    batches = {other.case.batch for other in scale if other.case.devices > 1}
    return case.size in sides and case.batch in batches
