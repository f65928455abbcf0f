"""Boxes as arrays, in pixels of a radiograph and in pixels of a map, and the union of several."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from elbow_core.dataset import Region
from elbow_core.evaluation.heat_maps import Area

Boxes = Float64[np.ndarray, "boxes 4"]
"""Left, top, right and bottom edge of each box; pixel 0 reaches from 0 to 1."""


def boxes_of(
    regions: Sequence[Region], kinds: Sequence[str], height: float | int, width: float | int
) -> Boxes:
    """Return the boxes of some kinds of region, cut to their image; boxes outside it are left out.

    `elbow_core.dataset.read_regions` accepts a box that was rounded beyond the edge of its image.
    """
    found = [region for region in regions if region.kind in kinds]
    edges = np.array(
        [[box.x, box.y, box.x + box.width, box.y + box.height] for box in found], np.float64
    ).reshape(-1, 4)
    edges = np.clip(edges, 0.0, np.array([width, height, width, height], np.float64))
    return edges[(edges[:, 2] > edges[:, 0]) & (edges[:, 3] > edges[:, 1])]


def boxes_in_map(boxes: Boxes, area: Area, height: int, width: int) -> Boxes:
    """Return boxes in pixels of a map of this size that covers this area of the radiograph."""
    left, top, area_width, area_height = area
    scale = np.array([width / area_width, height / area_height] * 2)
    return (boxes - np.array([left, top] * 2)) * scale


def coverage(boxes: Boxes, height: int, width: int) -> Float64[np.ndarray, "{height} {width}"]:
    """Return the share of each pixel of a map that the union of the boxes covers, 0 to 1.

    The boxes are in pixels of the map; what lies outside the map is ignored.
    """
    covered = np.zeros((height, width))
    for top, bottom, columns in _strips(boxes):
        across = sum(_overlap(left, right, width) for left, right in columns)
        covered += np.outer(_overlap(top, bottom, height), across)
    return covered


def union_area(boxes: Boxes) -> float:
    """Return the area of the union of the boxes, in their own square pixels."""
    return sum(
        (bottom - top) * sum(right - left for left, right in columns)
        for top, bottom, columns in _strips(boxes)
    )


def distance_to_nearest(
    x: Float64[np.ndarray, " points"], y: Float64[np.ndarray, " points"], boxes: Boxes
) -> Float64[np.ndarray, " points"]:
    """Return the Euclidean distance of each point to the nearest box; 0 in a box or on its edge."""
    left, top, right, bottom = boxes.T[:, :, None]
    across = np.maximum(np.maximum(left - x, x - right), 0)
    down = np.maximum(np.maximum(top - y, y - bottom), 0)
    return np.hypot(across, down).min(axis=0)


def _strips(boxes: Boxes) -> Iterator[tuple[float, float, list[tuple[float, float]]]]:
    """Yield the union of the boxes as disjoint rectangles: top, bottom, and their columns."""
    edges = np.unique(boxes[:, [1, 3]])
    for top, bottom in pairwise(edges.tolist()):
        here = boxes[(boxes[:, 1] <= top) & (boxes[:, 3] >= bottom)]
        columns: list[tuple[float, float]] = []
        for left, right in sorted(here[:, [0, 2]].tolist()):
            if columns and left <= columns[-1][1]:
                columns[-1] = (columns[-1][0], max(right, columns[-1][1]))
            else:
                columns.append((left, right))
        yield top, bottom, columns


def _overlap(low: float, high: float, pixels: int) -> Float64[np.ndarray, "{pixels}"]:
    """Return the length of the part of each pixel that lies between ``low`` and ``high``."""
    edges = np.clip(np.arange(pixels + 1, dtype=np.float64), low, high)
    return np.diff(edges)
