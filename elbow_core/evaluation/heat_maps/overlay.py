"""A heat map over its radiograph."""

import cv2
import matplotlib
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from elbow_core.evaluation.heat_maps.card import Area

NO_EVIDENCE = "no evidence for injury anywhere"
"""The caption of a map of zeros."""

_OPACITY = 0.6  # of the highest value of a map
_FONT, _LETTERS, _LINE, _MARGIN = cv2.FONT_HERSHEY_SIMPLEX, 0.42, 16, 5  # OpenCV's size; pixels
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def picture_size(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Return rows and columns of a picture of a radiograph in its own aspect ratio."""
    scale = long_side / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def map_to_picture(
    shape: tuple[int, ...], area: Area, across: float, down: float
) -> Float64[np.ndarray, "2 3"]:
    """Return the affine matrix from pixel centres (column, row, 1) of a map to those of a picture.

    Args:
        shape: height and width of the map.
        area: the rectangle that the map covers, in pixels of the radiograph.
        across: columns of the picture for each column of the radiograph.
        down: rows of the picture for each row of the radiograph.
    """
    height, width = shape
    step_x, step_y = area[2] / width, area[3] / height
    return np.array(
        [
            [step_x * across, 0, (area[0] + step_x / 2) * across - 0.5],
            [0, step_y * down, (area[1] + step_y / 2) * down - 0.5],
        ]
    )


def overlay_heat(
    grey: UInt8[np.ndarray, "rows columns"],
    values: Float32[np.ndarray, "height width"],
    area: Area,
    image_height: int,
    image_width: int,
    caption: str = NO_EVIDENCE,
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Return a picture of a whole radiograph under its map: blue, green, red.

    The map is scaled to its own maximum; the higher a value, the more it covers. Outside the area
    of the map there is no evidence. A map of zeros covers nothing; the picture then says so.

    Args:
        grey: the radiograph.
        values: the map, not negative.
        area: the rectangle that the map covers, in pixels of the radiograph.
        image_height: of the radiograph, in its own pixels.
        image_width: of the radiograph, in its own pixels.
        caption: ASCII, written at the lower edge of the picture if the map is zero everywhere.
    """
    rows, columns = grey.shape
    to_picture = map_to_picture(values.shape, area, columns / image_width, rows / image_height)
    highest = float(values.max())
    shown = values / np.float32(highest) if highest else values
    heat = cv2.warpAffine(shown, to_picture, (columns, rows), flags=cv2.INTER_LINEAR)
    heat = np.clip(heat, 0, 1)[:, :, None]
    colours = matplotlib.colormaps["inferno"](heat[:, :, 0])[:, :, 2::-1] * 255
    opacity = _OPACITY * heat
    blended = (1 - opacity) * grey[:, :, None] + opacity * colours
    picture = np.ascontiguousarray(np.rint(blended).astype(np.uint8))
    if caption and not highest:
        _write_caption(picture, caption)
    return picture


def _write_caption(picture: UInt8[np.ndarray, "rows columns 3"], caption: str) -> None:
    """Write a caption, white on black, at the lower edge of a picture.

    A line is no wider than the picture, unless a single word is.
    """
    rows, columns, _ = picture.shape
    lines = [""]
    for word in caption.split():
        line = f"{lines[-1]} {word}".strip()
        (width, _), _ = cv2.getTextSize(line, _FONT, _LETTERS, 1)
        if lines[-1] and width > columns - 2 * _MARGIN:
            lines.append(word)
        else:
            lines[-1] = line
    for number, line in enumerate(reversed(lines)):
        x, y = _MARGIN, rows - _MARGIN - number * _LINE
        (width, _), _ = cv2.getTextSize(line, _FONT, _LETTERS, 1)
        top_left, bottom_right = (x - 3, y - _LINE + 4), (x + width + 2, y + 3)
        cv2.rectangle(picture, top_left, bottom_right, _BLACK, cv2.FILLED)
        cv2.putText(picture, line, (x, y), _FONT, _LETTERS, _WHITE, 1, cv2.LINE_AA)
