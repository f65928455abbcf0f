"""The style of every figure; its colours stay distinct in colour blindness and in grey print."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette (jfly.uni-koeln.de/color) without its yellow, which is invisible on paper;
# sky blue and orange are darkened to a contrast of 3:1 on white (WCAG 2.2, 1.4.11). Each colour has
# its own dash pattern, so that lines differ in grey print too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#2E93CF", "#B98000", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)))
NORMAL, INJURY = COLOURS[0], COLOURS[1]
HATCHES = ("", "////")
GREY = "#888888"
DOTS_PER_INCH = 300

SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.fontsize": 7,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.4,
    # A model may be called convnext_$lr; its name must not be parsed as mathematics.
    "text.parse_math": False,
}

P = ParamSpec("P")


def drawn_in_style(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a drawing function run under `SETTINGS`; matplotlib's own settings do not change."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(SETTINGS):
            return draw(*args, **kwargs)

    return styled


def line_style(model: int) -> dict[str, Any]:
    """Return the colour and dashes of the n-th model, the same in every figure."""
    return {"color": COLOURS[model % len(COLOURS)], "linestyle": DASHES[model % len(DASHES)]}


def canvas(columns: int = 1, rows: int = 1, width: float = 3.5, height: float = 3.3) -> Figure:
    """Return an empty figure of ``rows x columns`` panels, each ``width x height`` inches."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.subplots(rows, columns, squeeze=False)
    return figure


def panels(figure: Figure) -> list[Axes]:
    """Return the figure's panels, row by row."""
    return list(figure.axes)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG for print; equal figures give equal bytes."""
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
