"""A sheet of pictures of one image: the radiograph, its maps over it, and CBAM's gates beside."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from elbow_core.evaluation.heat_maps import MappedImage, overlay_heat

_TITLE = 22  # rows above each picture
_GAP = 6
_LETTERS = 0.42  # of OpenCV's size

Colour = UInt8[np.ndarray, "_ _ 3"]
Tiles = Mapping[str, Float32[np.ndarray, "_ _"]]


def draw_sheet(
    grey: UInt8[np.ndarray, "rows columns"],
    image: MappedImage,
    maps: Sequence[Tiles],
    gates: Sequence[Tiles],
    shown: str,
) -> Colour:
    """Return a sheet, blue, green, red: the radiograph, then a row of titled maps and gates over it
    for each part of the network.

    Args:
        grey: the radiograph in its own aspect ratio.
        image: its size, and the area that the maps cover.
        maps: by title, for each part, not negative; a map of zeros has a caption.
        gates: by title, for each part, not negative.
        shown: the title of the radiograph.
    """
    plain = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    blank = np.full_like(plain, 255)
    parts = list(zip(maps, gates, strict=True))
    columns = 1 + max(len(part_maps) + len(part_gates) for part_maps, part_gates in parts)
    place = image.area, image.height, image.width
    lines = []
    for number, (part_maps, part_gates) in enumerate(parts):
        tiles = [_titled(plain, shown) if number == 0 else _titled(blank, "")]
        for title, values in part_maps.items():
            tiles.append(_titled(overlay_heat(grey, values, *place), title))
        for title, values in part_gates.items():  # no evidence, so a flat one has no caption
            tiles.append(_titled(overlay_heat(grey, values, *place, caption=""), title))
        tiles += [_titled(blank, "")] * (columns - len(tiles))
        lines.append(np.hstack(tiles))
    return np.vstack(lines)


def gate_title(name: str, gate: Float32[np.ndarray, "h w"]) -> str:
    """Return the title of a gate's picture: its name and the range that is shown as dark to bright.

    The gates of an image may lie close together, far from 0 and 1.
    """
    return f"gate {name.rpartition('/')[2]} {gate.min():.2f}-{gate.max():.2f}"


def stretched(gate: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Return a gate with its lowest value at 0, so that its contrast shows."""
    return gate - gate.min()


def _titled(picture: Colour, title: str) -> Colour:
    rows, columns, _ = picture.shape
    tile = np.full((rows + _TITLE + _GAP, columns + _GAP, 3), 255, np.uint8)
    tile[_TITLE : _TITLE + rows, :columns] = picture
    place, black = (2, _TITLE - 7), (0, 0, 0)
    cv2.putText(
        tile, title, place, cv2.FONT_HERSHEY_SIMPLEX, _LETTERS, black, 1, lineType=cv2.LINE_AA
    )
    return tile
