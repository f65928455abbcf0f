"""Write the documents' figure of heat maps that miss the injury, from a report on heat maps.

    python -m scripts.make_failures_figure REPORT [NAME ...] --out FILE

REPORT is a folder of `python -m elbow_core.evaluation.localisation`. A row shows the first failures
of a set of trained weights, by default under the set's own name.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file, read_json, require_output_file

COLUMNS = 5
TILE = 1.5  # inches
_FAILURE = re.compile(r"failure_(\d+)_(\d+)\.png")


def failures_figure(report: Path, names: Sequence[str]) -> Figure:
    """Return the figure of a report; `names` are those of the rows, in the report's order.

    Raises `UserError` for a folder that is no such report or has no failures, and for more or fewer
    names than rows.
    """
    try:
        sets = list(read_json(report / "localisation.json")["sets"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{report}: is not a report on heat maps") from error
    rows: dict[int, list[Path]] = {}
    for path in sorted((report / "figures").glob("failure_*.png")):
        if found := _FAILURE.fullmatch(path.name):
            rows.setdefault(int(found[1]), []).append(path)
    if not rows:
        raise UserError(f"{report}: has no pictures of failures")
    titles = list(names) or [sets[number] for number in rows]
    if len(titles) != len(rows):
        raise UserError(f"{report}: has failures of {len(rows)} sets, not of {len(titles)}")
    with mpl.rc_context({"font.size": 7}):
        figure = Figure(
            figsize=(COLUMNS * TILE, len(rows) * (TILE + 0.2)), dpi=110, layout="constrained"
        )
        parts = figure.subfigures(len(rows), squeeze=False)[:, 0]
        for part, title, paths in zip(parts, titles, rows.values(), strict=True):
            part.suptitle(title, x=0.01, ha="left")
            axes = part.subplots(1, COLUMNS, squeeze=False)[0]
            for ax in axes:
                ax.set_axis_off()
            for ax, path in zip(axes, paths, strict=False):
                ax.imshow(imread(path))
    return figure


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.make_failures_figure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("report", type=Path, metavar="REPORT")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/figures/localisation_failures.png"), metavar="FILE"
    )
    options = parser.parse_args(arguments)
    require_output_file(options.out, "--out", make_folder=True)
    figure = failures_figure(options.report, options.names)
    canvas = FigureCanvasAgg(figure)
    with atomic_file(options.out) as partial:
        canvas.print_png(partial, metadata={"Software": None})
    print(options.out)
    return 0


if __name__ == "__main__":
    run(main)
