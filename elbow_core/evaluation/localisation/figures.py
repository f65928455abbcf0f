"""The figures of a report of localisation: FROC curves, and maps over the radiographs they miss."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from matplotlib.figure import Figure

from elbow_core.dataset import Archive
from elbow_core.evaluation.heat_maps import (
    Area,
    HeatMaps,
    map_to_picture,
    overlay_heat,
    picture_size,
)
from elbow_core.evaluation.localisation.cases import Case, positions_of
from elbow_core.evaluation.localisation.content import CURVE_RATES, SetSummary
from elbow_core.evaluation.localisation.judging import AGREEMENT, Judged
from elbow_core.evaluation.report.figures import (
    canvas,
    drawn_in_style,
    line_style,
    panels,
    save_svg,
)
from elbow_core.evaluation.report.rendering import Gallery, Picture
from elbow_core.evaluation.statistics import FROC_RATES
from elbow_core.identity import normalise_image_id

FOLDER = "figures"
MOST_FAILURES = 8
"""Pictures of one set of maps."""
LONG_SIDE = 288
"""Of a picture, in pixels."""
_BOX, _OUTLINE = (255, 255, 255), (0, 0, 0)  # blue, green, red


def draw_froc(folder: Path, summaries: Mapping[str, SetSummary]) -> Picture:
    """Write the FROC curves of all sets into the folder of a report."""
    path = f"{FOLDER}/froc.svg"
    save_svg(froc_figure(summaries), folder / path)
    means = "; ".join(
        f"{label} {found.estimates['froc_mean'].value:.3f}" for label, found in summaries.items()
    )
    return Picture(
        path,
        f"FROC curves. Mean sensitivity at the seven rates: {means}.",
        "Sensitivity for boxes by false marks per image, with pointwise 95 % bands.",
    )


@drawn_in_style
def froc_figure(summaries: Mapping[str, SetSummary]) -> Figure:
    """Plot sensitivity by the logarithm of false marks per image, with pointwise bands."""
    figure = canvas(width=4.6, height=3.6)
    (axes,) = panels(figure)
    for index, (label, found) in enumerate(summaries.items()):
        style, curve = line_style(index), found.curve
        band = {"color": style["color"], "alpha": 0.15, "linewidth": 0, "step": "post"}
        axes.fill_between(CURVE_RATES, curve.low, curve.high, **band)
        axes.step(CURVE_RATES, curve.sensitivity, where="post", label=label, **style)
    axes.set_xscale("log", base=2)
    axes.set_xticks(FROC_RATES, [f"{rate:g}" for rate in FROC_RATES])
    axes.set(xlabel="false marks per image", ylabel="sensitivity", ylim=(-0.02, 1.02))
    axes.legend(loc="best")
    return figure


def worst_failures(judged: Judged) -> list[tuple[str, float]]:
    """Return the images whose maximum lies in no box, even with tolerance, and their energy inside.

    They are ordered from the least energy on, equal ones by their ids; at most `MOST_FAILURES`.
    """
    tolerant, energy = (AGREEMENT.index(name) for name in ("pointing_tolerant", "energy"))
    located = np.array(judged.image_id)[judged.located].tolist()
    missed = [
        (image_id, float(row[energy]))
        for image_id, row in zip(located, judged.agreement, strict=True)
        if row[tolerant] == 0
    ]
    return sorted(missed, key=lambda found: (found[1], found[0]))[:MOST_FAILURES]


def draw_failures(
    folder: Path,
    number: int,
    failures: Sequence[tuple[str, float]],
    maps: HeatMaps,
    cases: Mapping[str, Case],
    archive: Archive,
) -> Gallery:
    """Write pictures of the failures of the set of maps with this number.

    ``cases`` are by image id, as in ``failures``; the archive holds all of them.
    """
    of_map = positions_of(maps)
    of_image = {normalise_image_id(image_id): index for index, image_id in enumerate(archive.ids)}
    pictures = []
    for rank, (image_id, energy) in enumerate(failures):
        key, case = normalise_image_id(image_id), cases[image_id]
        position = of_map[key]
        area = maps.card.images[position].area
        picture = overlay(archive[of_image[key]], maps[position], area, case)
        path = f"{FOLDER}/failure_{number}_{rank:02d}.png"
        (folder / path).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
        caption = f"{image_id}: energy inside {energy:.3f}"
        alt = f"Radiograph under its heat map, with the boxes of the injuries. {caption}"
        pictures.append(Picture(path, alt, caption))
    return Gallery(tuple(pictures))


def overlay(
    image: UInt8[np.ndarray, "size size"],
    values: Float32[np.ndarray, "height width"],
    area: Area,
    case: Case,
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return a prepared radiograph in its own aspect ratio under its map, blue, green, red.

    The map is scaled to its own maximum; the higher a value, the more it covers. Boxes and a cross
    at the first of the map's maxima are white with a black outline. A map of zeros has a caption in
    place of the cross.
    """
    rows, columns = picture_size(case.height, case.width, LONG_SIDE)
    grey = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    picture = overlay_heat(grey, values, area, case.height, case.width)
    across, down = columns / case.width, rows / case.height
    for left, top, right, bottom in case.boxes.tolist():
        corners = (
            (round(left * across), round(top * down)),
            (
                round(right * across) - 1,
                round(bottom * down) - 1,
            ),
        )
        cv2.rectangle(picture, *corners, _OUTLINE, 3)
        cv2.rectangle(picture, *corners, _BOX, 1)
    if not values.any():
        return picture
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    to_picture = map_to_picture(values.shape, area, across, down)
    x, y = to_picture @ np.array([column, row, 1.0])
    at = round(float(x)), round(float(y))
    cv2.drawMarker(picture, at, _OUTLINE, cv2.MARKER_CROSS, 13, 3)
    cv2.drawMarker(picture, at, _BOX, cv2.MARKER_CROSS, 11, 1)
    return picture
