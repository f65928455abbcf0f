"""Where in a rendered image the fractures, dislocations and pieces of metal are."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real, UInt8

from elbow_core.dataset import Region
from elbow_core.sources.synthetic.bones import Patch
from elbow_core.sources.synthetic.fragments import Piece
from elbow_core.sources.synthetic.rendering import Frame, project

JOINT_RADIUS = 20.0
"""Of a joint surface around its centre, mm: a dislocation is where both surfaces are."""


class Radiograph(NamedTuple):
    """A rendered image, and the regions of its findings that are within it."""

    pixels: UInt8[np.ndarray, "h w"]
    regions: list[Region]


def locate_break(frame: Frame, kind: str, pieces: Iterable[Piece]) -> list[Region]:
    """Return the box around the line of a fracture on all of its pieces; none outside the image."""
    lines = [(piece.line, piece.matrix) for piece in pieces if piece.line is not None]
    return _locate(frame, kind, lines, 0.5)


def locate_metal(frame: Frame, patch: Patch, matrix: Float[np.ndarray, "3 3"]) -> list[Region]:
    """Return the box around a plate with its screws, or around wires; none outside the image."""
    return _locate(frame, "metal", [(patch, matrix)], 0.2)


def locate_dislocation(frame: Frame, forearm: Float[np.ndarray, "3 3"]) -> list[Region]:
    """Return the box around the joint surfaces of the humerus and of a displaced forearm."""
    angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    circle = JOINT_RADIUS * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.concatenate([circle, circle + forearm[:2, 2]])
    pixels = points @ frame.matrix[:2, :2].T + frame.matrix[:2, 2] + 0.5
    return _box(frame, "dislocation", pixels.min(0), pixels.max(0))


def _locate(
    frame: Frame,
    kind: str,
    masks: Iterable[tuple[Patch, Float[np.ndarray, "3 3"]]],
    threshold: float,
) -> list[Region]:
    """Return the box around all pixels at which one of the masks is above the threshold."""
    seen = np.zeros((frame.height, frame.width), bool)
    for patch, matrix in masks:
        seen |= project(frame, patch, matrix) > threshold
    rows, columns = np.nonzero(seen)
    if not len(rows):
        return []
    low = np.array([columns.min(), rows.min()])
    return _box(frame, kind, low, np.array([columns.max(), rows.max()]) + 1)


def _box(
    frame: Frame,
    kind: str,
    low: Real[np.ndarray, "2"],
    high: Real[np.ndarray, "2"],
) -> list[Region]:
    """Return the part of a box (pixels) that is within the image; none if there is none."""
    limits = np.array([frame.width, frame.height], np.float64)
    left, top = np.clip(low, 0, limits).tolist()
    right, bottom = np.clip(high, 0, limits).tolist()
    if right <= left or bottom <= top:
        return []
    return [Region(kind, left, top, right - left, bottom - top)]
