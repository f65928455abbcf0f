"""Scale grey levels of any depth to 0 to 255."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped, UInt8

_STRIP_PIXELS = 2**20


def scale_to_8_bits(image: Shaped[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """Scale grey levels, integer or float, linearly from the image's own range to 0 to 255.

    A constant image becomes 0 everywhere.
    """
    low, high = float(image.min()), float(image.max())
    scaled = np.zeros(image.shape, np.uint8)
    for rows in row_strips(*image.shape):
        scaled[rows] = scale_levels(image[rows], low, high)
    return scaled


def scale_levels(
    levels: Shaped[np.ndarray, "..."], low: float, high: float
) -> UInt8[np.ndarray, "..."]:
    """Scale levels between ``low`` and ``high`` linearly to 0 to 255; 0 if these are equal."""
    if low == high:
        return np.zeros(levels.shape, np.uint8)
    return np.rint((levels.astype(np.float64) - low) * (255.0 / (high - low))).astype(np.uint8)


def row_strips(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of an image in strips of about a megapixel, so that copies stay small."""
    rows = max(_STRIP_PIXELS // max(width, 1), 1)
    for first in range(0, height, rows):
        yield slice(first, first + rows)
