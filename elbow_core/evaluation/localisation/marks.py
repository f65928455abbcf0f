"""Marks of a map: its local maxima, and which boxes they find."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from elbow_core.evaluation.heat_maps import Area
from elbow_core.evaluation.localisation.boxes import Boxes

SEPARATION = 0.05
"""Of two marks, horizontally or vertically, as a share of the image's long side."""
MOST_MARKS = 32
"""Of one map, the highest ones."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks from the highest to the lowest: the place in pixels of the radiograph, and the score.

    The score is the map's value there, as it stands: it is compared between images.
    """

    x: Float64[np.ndarray, " marks"]
    y: Float64[np.ndarray, " marks"]
    score: Float64[np.ndarray, " marks"]


@dataclass(frozen=True, slots=True)
class Detections:
    """What the marks of one image find: the score of each box, and of each mark beside the boxes.

    The score of a box is that of the highest mark in it, or -inf if there is none. A further mark
    in a box that has been found is neither a hit nor false.
    """

    box_score: Float64[np.ndarray, " boxes"]
    false_score: Float64[np.ndarray, " marks"]


def find_marks(
    values: Float32[np.ndarray, "height width"],
    area: Area,
    height: float | int,
    width: float | int,
) -> Marks:
    """Return the local maxima of a map, after suppression of those near a higher one.

    A mark is a pixel that no other exceeds in the rectangle that reaches `SEPARATION` of the
    image's long side to the left, right, top and bottom, rounded to whole pixels of the map and at
    least one. Neighbouring pixels of one height are one mark, in their middle; of two marks of one
    height that lie in each other's rectangle all the same, the first in reading order is kept. The
    lowest value of a map is no maximum, so a map without contrast has no mark.

    ``area`` is the part of the radiograph, of ``height`` x ``width`` pixels, that the map covers.

    Reference: scikit-image's ``peak_local_max``, which finds the same where no values are equal.
    """
    left, top, area_width, area_height = area
    pixel_width, pixel_height = area_width / values.shape[1], area_height / values.shape[0]
    reach = SEPARATION * max(height, width)
    across, down = max(round(reach / pixel_width), 1), max(round(reach / pixel_height), 1)
    columns, rows, scores = _peaks(values, across, down)
    return Marks(left + (columns + 0.5) * pixel_width, top + (rows + 0.5) * pixel_height, scores)


def _peaks(
    values: Float32[np.ndarray, "height width"], across: int, down: int
) -> tuple[Float64[np.ndarray, " p"], Float64[np.ndarray, " p"], Float64[np.ndarray, " p"]]:
    """Return column, row and value of the peaks, from the highest to the lowest."""
    # No rectangle need be greater than the map.
    across, down = min(across, values.shape[1]), min(down, values.shape[0])
    highest = cv2.dilate(values, np.ones((2 * down + 1, 2 * across + 1), np.uint8))
    candidates = (values == highest) & (values > values.min())
    _, labels, _, middles = cv2.connectedComponentsWithStats(candidates.astype(np.uint8))
    at = np.flatnonzero(candidates)
    component, first = np.unique(labels.ravel()[at], return_index=True)
    value = values.ravel()[at[first]].astype(np.float64)
    order = np.lexsort((first, -value))
    kept: list[int] = []
    for index in order.tolist():
        column, row = middles[component[index]]
        chosen = middles[component[kept]]
        near = (np.abs(chosen[:, 0] - column) <= across) & (np.abs(chosen[:, 1] - row) <= down)
        if not near.any():
            kept.append(index)
            if len(kept) == MOST_MARKS:
                break
    return middles[component[kept], 0], middles[component[kept], 1], value[kept]


def detections(marks: Marks, boxes: Boxes) -> Detections:
    """Return what marks find; a mark on the edge of a box is in it, and may be in several."""
    left, top, right, bottom = boxes.T[:, :, None]
    inside = (marks.x >= left) & (marks.x <= right) & (marks.y >= top) & (marks.y <= bottom)
    best = np.where(inside, marks.score, -np.inf).max(axis=1, initial=-np.inf)
    return Detections(best, marks.score[~inside.any(axis=0)])
