"""A fracture: the region of a bone that breaks off, and its rigid motion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import Point

FAR = 400.0


@dataclass(frozen=True)
class Fracture:
    """A fracture: the bone, the region (mm) that breaks off, and the fragment's motion."""

    bone: str
    region: Float[np.ndarray, "n 2"]
    motion: Float[np.ndarray, "3 3"]
    carries_forearm: bool = False
    share: float = 1.0  # of the depth inside the region: a fragment may overlap another part


def rigid_motion(
    dx: float = 0.0, dy: float = 0.0, degrees: float = 0.0, about: Point = (0, 0)
) -> Float[np.ndarray, "3 3"]:
    """Rotate by `degrees` (from x towards y) about a point (mm), then translate by (dx, dy) mm."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    px, py = about
    return np.array(
        [[c, -s, px - c * px + s * py + dx], [s, c, py - s * px - c * py + dy], [0, 0, 1]]
    )


def half_plane(points: Sequence[Point], far_y: float) -> Float[np.ndarray, "n 2"]:
    """Return the region between a line across the bone and ``far_y``."""
    (_, first), (_, last) = points[0], points[-1]
    return np.array([(-FAR, first), *points, (FAR, last), (FAR, far_y), (-FAR, far_y)])
