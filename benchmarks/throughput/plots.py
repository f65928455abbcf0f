"""One figure of a record: ratios, and cost against image size, batch and devices."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.throughput.cases import NETWORKS
from benchmarks.throughput.page import TITLES, WORKS
from benchmarks.throughput.summary import Comparison, comparisons, networks, spread
from elbow_core.evaluation.report.style import COLOURS, SETTINGS, canvas, drawn_in_style, panels
from elbow_core.files import atomic_file

DOTS_PER_INCH = 150
AXES = {"size": "pixels a side", "batch": "images in a batch", "devices": "devices"}


def draw(record: dict[str, Any]) -> Figure | None:
    """The comparison as bars, then the cost of an image as curves; None where nothing is there."""
    compared = [
        one for one in networks(record["rows"]) if one.jax is not None and one.torch is not None
    ]
    scale = [one for one in comparisons(record["rows"], "scale") if one.jax is not None]
    curves = [what for what in AXES if any(_belongs(one, scale, what) for one in scale)]
    wanted = ["ratios"] * bool(compared) + curves
    return _draw(wanted, compared, scale, record["name"]) if wanted else None


@drawn_in_style
def _draw(
    wanted: list[str], compared: list[Comparison], scale: list[Comparison], name: str
) -> Figure:
    figure = canvas(columns=min(2, len(wanted)), rows=-(-len(wanted) // 2), width=4.2)
    axes = panels(figure)
    for panel, what in zip(axes, wanted, strict=False):
        if what == "ratios":
            _bars(panel, compared, name)
        else:
            _curves(panel, scale, what)
    for panel in axes[len(wanted) :]:
        panel.set_axis_off()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG; the same figure gives the same bytes."""
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
    axes.set_title(name, loc="right")  # over the labels: a processor's name may be long


def _curves(axes: Axes, scale: list[Comparison], what: str) -> None:
    for number, network in enumerate(NETWORKS):
        own = [one for one in scale if one.case.name == network and _belongs(one, scale, what)]
        for framework, dashes in (("jax", "-"), ("torch", ":")):
            points = sorted(
                (getattr(one.case, what), contender.seconds / one.case.batch * 1e3)
                for one in own
                if (contender := one.jax if framework == "jax" else one.torch) is not None
            )
            if points:
                label = TITLES[network] if framework == "jax" else None
                axes.plot(
                    *zip(*points, strict=True), dashes, marker=".", c=COLOURS[number], label=label
                )
    axes.set(xscale="log", yscale="log", xlabel=AXES[what], ylabel="ms an image, training step")
    ticks = sorted({getattr(one.case, what) for one in scale if _belongs(one, scale, what)})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.legend(title="JAX; dotted: PyTorch, eager" if what != "devices" else None)


def _belongs(one: Comparison, scale: list[Comparison], what: str) -> bool:
    """Whether a case lies on the curve along `what`: the other two are those of the curve."""
    case = one.case
    if what == "size":
        # The curve over sizes has the one batch that several sizes share.
        shared = [other.case.batch for other in scale if other.case.devices == 1]
        sizes = {
            batch: len({o.case.size for o in scale if o.case.batch == batch}) for batch in shared
        }
        return case.devices == 1 and case.batch == max(sizes, key=lambda batch: sizes[batch])
    sides = {other.case.size for other in scale if other.case.devices > 1}
    if what == "batch":
        return case.devices == 1 and case.size in sides
    batches = {other.case.batch for other in scale if other.case.devices > 1}
    return case.size in sides and case.batch in batches
