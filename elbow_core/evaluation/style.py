"""How every figure looks: one size, and colours that survive colour blindness and grey print."""

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette without its yellow, which does not show on paper. A dash pattern of its
# own goes with each colour, so that a line is told apart in grey too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)))
NORMAL, INJURY = COLOURS[0], COLOURS[1]

SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "lines.linewidth": 1.4,
}


def line_style(model: int) -> dict[str, Any]:
    """Colour and dashes of the n-th model, the same in every figure."""
    return {"color": COLOURS[model % len(COLOURS)], "linestyle": DASHES[model % len(DASHES)]}


def canvas(columns: int = 1, rows: int = 1, width: float = 3.5, height: float = 3.3) -> Figure:
    """An empty figure of ``rows x columns`` panels, each ``width x height`` inches."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
        FigureCanvasAgg(figure)
        figure.subplots(rows, columns, squeeze=False)
    return figure


def panels(figure: Figure) -> list[Axes]:
    """The figure's panels, row by row."""
    return list(figure.axes)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG for print (300 dots an inch)."""
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(path, dpi=300, metadata={"Software": None})
