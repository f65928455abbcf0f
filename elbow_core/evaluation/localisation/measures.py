"""How well one map agrees with the boxes of its image: pointing, energy, intersection over union.

Several boxes of an image count as one region, their union. Equal values are never put into an
order: a measure that depends on one is the mean over all orders. So a map without contrast, zeros
included, scores what a random pixel would, and no measure depends on where a library finds its
first maximum.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from elbow_core.evaluation.heat_maps import Area
from elbow_core.evaluation.localisation.boxes import (
    Boxes,
    boxes_in_map,
    coverage,
    distance_to_nearest,
    union_area,
)

TOLERANCE = 15 / 500
"""Of the pointing game, as a share of the image's long side: Zhang et al. allow 15 pixels, on
photographs of PASCAL VOC, whose long side has 500."""

Values = Float32[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """The measures of one map, each from 0 to 1."""

    pointing: float
    """1 if the map's maximum lies in a box; of several maxima, the share that does."""
    pointing_tolerant: float
    """The same with maxima that are no farther from a box than the tolerance."""
    energy: float
    """Share of the sum of the map that lies in the union of the boxes."""
    iou: float
    """Intersection over union of the boxes and as large a part of the map, that of the highest
    values."""


def agreement(
    values: Values, boxes: Boxes, area: Area, height: float | int, width: float | int
) -> Agreement:
    """Return the measures of the map of one image with at least one box.

    Args:
        values: the map, float32 [h, w], not negative.
        boxes: of the injuries, in pixels of the radiograph.
        area: the rectangle that the map covers, in pixels of the radiograph.
        height: of the radiograph, in pixels.
        width: of the radiograph, in pixels.

    References: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016
    (pointing game); Wang et al., "Score-CAM", CVPR workshops 2020 (energy).
    """
    in_map = boxes_in_map(boxes, area, *values.shape)
    covered = coverage(in_map, *values.shape)
    pointing, tolerant = _pointing(values, boxes, area, TOLERANCE * max(height, width))
    return Agreement(
        pointing, tolerant, _energy(values, covered), _iou(values, covered, union_area(in_map))
    )


def _pointing(values: Values, boxes: Boxes, area: Area, tolerance: float) -> tuple[float, float]:
    """Return the shares of the maxima in a box, and within the tolerance of one.

    A maximum is the middle of its pixel.
    """
    rows, columns = np.nonzero(values == values.max())
    x = area[0] + (columns + 0.5) * (area[2] / values.shape[1])
    y = area[1] + (rows + 0.5) * (area[3] / values.shape[0])
    distance = distance_to_nearest(x, y, boxes)
    return float(np.mean(distance == 0)), float(np.mean(distance <= tolerance))


def _energy(values: Values, covered: Float64[np.ndarray, "height width"]) -> float:
    total = float(values.sum(dtype=np.float64))
    if total == 0:
        return float(covered.mean())
    return float(np.sum(values * covered)) / total


def _iou(values: Values, covered: Float64[np.ndarray, "height width"], boxes_area: float) -> float:
    """Return the intersection over union at the boxes' area, in pixels of the map.

    The part of the map has as many pixels, the last one in part, and all of them where the boxes
    are greater than the map. Pixels with the lowest value of the part share what is left of it.
    """
    size = min(boxes_area, float(values.size))
    rank = values.size - math.ceil(size)  # from the lowest
    lowest = np.partition(values.ravel(), rank)[rank]
    above, equal = values > lowest, values == lowest
    share = (size - np.count_nonzero(above)) / np.count_nonzero(equal)
    overlap = float(covered[above].sum() + share * covered[equal].sum())
    return overlap / (size + boxes_area - overlap)
