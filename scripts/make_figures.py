"""Write the documents' figures of synthetic radiographs.

    python -m scripts.make_figures --out docs/figures

Seconds on a CPU. Equal versions of NumPy, OpenCV and matplotlib write byte-identical files.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from elbow_core.cli import run
from elbow_core.files import atomic_file, require_output_file
from elbow_core.radiographs import Augmentation, apply_affine, preprocess, resize, sample_affine
from elbow_core.sources.synthetic import FINDINGS, VIEWS, label_of, render_radiograph

SHEET = "synthetic_sheet.png"
SHEET_SEED = 5
PREPROCESSING = "preprocessing.png"
PREPROCESSING_SEED = 11
AUGMENTED = 12
COLUMNS = 6  # three findings, each in both views
TILE = 1.55  # inches
GREY_LEVELS = 64  # in the PNG: film grain compresses badly, and a page shows no finer steps


def synthetic_sheet(out: Path) -> Path:
    """Write a contact sheet of the synthetic source: every finding, both views, with labels."""
    rows = -(-len(FINDINGS) * len(VIEWS) // COLUMNS)
    with mpl.rc_context({"font.size": 6.5}):
        figure = Figure(
            figsize=(COLUMNS * TILE, rows * (TILE + 0.3)), dpi=150, layout="constrained"
        )
        axes = figure.subplots(rows, COLUMNS).ravel()
        for number, finding in enumerate(FINDINGS):
            part = "forearm" if finding == "shaft_fracture" else "elbow"
            label = ("normal", "injury")[label_of(finding)]
            for column, view in enumerate(VIEWS):
                rng = np.random.default_rng([SHEET_SEED, number, column])
                ax = axes[number * len(VIEWS) + column]
                ax.imshow(
                    render_radiograph(rng, view, finding, 320, part).pixels,
                    "gray",
                    vmin=0,
                    vmax=255,
                )
                shown = {"ap": "AP"}.get(view, view)
                ax.set_title(f"{finding.replace('_', ' ')}\n{shown}: {label}", pad=2)
        for ax in axes:
            ax.set_axis_off()
        return _write_grey(figure, out / SHEET)


def preprocessing(out: Path) -> Path:
    """Write a figure of each preprocessing step, and of augmented copies of the result."""
    size, sigma = 320, 7.0 * 320 / 584  # The paper's 7 of 584 pixels.
    rows = 1 + AUGMENTED // COLUMNS
    with mpl.rc_context({"font.size": 6.5}):
        figure = Figure(
            figsize=(COLUMNS * TILE, rows * (TILE + 0.15)), dpi=150, layout="constrained"
        )
        grid = figure.add_gridspec(rows, COLUMNS)
        for place, view in enumerate(VIEWS):
            finding = ("supracondylar_fracture", "olecranon_fracture")[place]
            rng = np.random.default_rng([PREPROCESSING_SEED, place])
            radiograph = render_radiograph(rng, view, finding, 400, "elbow").pixels
            plain = preprocess(radiograph, size, sigma=sigma, amount=0.0)
            sharp = preprocess(radiograph, size, sigma=sigma)
            steps = {"original": resize(radiograph, size), "CLAHE": plain, "unsharp mask": sharp}
            for step, (name, image) in enumerate(steps.items()):
                ax = figure.add_subplot(grid[0, place * 3 + step])
                _show(ax, image, f"{ {'ap': 'AP'}.get(view, view) }: {name}")
            for copy in range(AUGMENTED // 2):
                generator = np.random.default_rng([PREPROCESSING_SEED, place, copy])
                matrix = sample_affine(generator, size, Augmentation())
                number = place * (AUGMENTED // 2) + copy
                ax = figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS])
                _show(ax, apply_affine(sharp, matrix), f"augmented, copy {copy + 1}")
        return _write_grey(figure, out / PREPROCESSING)


def _show(ax: Axes, image: np.ndarray, title: str) -> None:
    ax.imshow(image, "gray", vmin=0, vmax=255)
    ax.set_title(title, pad=2)
    ax.set_axis_off()


def _write_grey(figure: Figure, target: Path) -> Path:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    grey = np.asarray(canvas.buffer_rgba())[..., 0]
    step = 256 // GREY_LEVELS
    grey = np.where(grey == 255, 255, grey // step * step).astype(np.uint8)
    encoded = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    with atomic_file(target) as partial:
        partial.write_bytes(encoded.tobytes())
    return target


def main(arguments: Sequence[str]) -> int:
    """Write every figure and print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder to write to")
    out = parser.parse_args(arguments).out
    for name in (SHEET, PREPROCESSING):
        require_output_file(out / name, "--out", make_folder=True)
    for write_figure in (synthetic_sheet, preprocessing):
        print(write_figure(out))
    return 0


if __name__ == "__main__":
    run(main)
