"""Render plates, screws and wires in the frame of the bone that they are fixed to."""

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import Patch, rasterise_curve, smooth_curve

METAL = 1.3  # optical depth: nearly opaque, but below saturation of the display

# fmt: off
PLATES = {  # (bone, path of the plate in mm, side of the screws: 0 if seen face on)
    ("supracondylar", "ap"): (
        "humerus", [(-25.5, -6), (-22.5, -22), (-15.5, -40), (-12, -70)], -1),
    ("supracondylar", "lateral"): (
        "humerus", [(-13.5, -14), (-16, -30), (-18.5, -50), (-19, -82)], -1),
    ("lateral_condyle", "ap"): (
        "humerus", [(-26.5, -4), (-25, -16), (-17.5, -36), (-12.5, -55)], -1),
    ("lateral_condyle", "lateral"): (
        "humerus", [(-4, -4), (-7, -22), (-8, -45), (-8, -62)], 0),
    ("radial_head", "ap"): ("radius", [(-23.5, 15), (-19.5, 25), (-19.5, 40), (-21, 54)], 1),
    ("radial_head", "lateral"): ("radius", [(0, 17), (0, 27), (-0.5, 40), (-1, 54)], 0),
    ("olecranon", "ap"): ("ulna", [(9, -20), (9.5, 0), (10, 25), (10, 58)], 0),
    ("olecranon", "lateral"): (
        "ulna", [(1, -25), (-10, -29), (-24, -21), (-29, -6), (-32, 20), (-32.5, 60)], 1),
    ("radius_shaft", "ap"): ("radius", [(-14, 60), (-14.5, 95), (-15, 130)], 0),
    ("radius_shaft", "lateral"): ("radius", [(7.5, 60), (6.5, 95), (5.5, 130)], -1),
    ("ulna_shaft", "ap"): ("ulna", [(18, 60), (19.2, 95), (20, 130)], -1),
    ("ulna_shaft", "lateral"): ("ulna", [(-23, 60), (-23.5, 95), (-24, 130)], 0),
    ("humerus_shaft", "ap"): ("humerus", [(-12, -55), (-12, -95), (-12.5, -135)], -1),
    ("humerus_shaft", "lateral"): ("humerus", [(-7, -55), (-7.5, -95), (-7.5, -135)], 0),
}
WIRES = {  # (bone, straight wires in mm)
    ("supracondylar", "ap"): ("humerus", [[(-27, -2), (9, -48)], [(33, -8), (-9, -50)]]),
    ("supracondylar", "lateral"): ("humerus", [[(6, 8), (-12, -50)], [(-6, 8), (-4, -52)]]),
    ("lateral_condyle", "ap"): ("humerus", [[(-30, 0), (14, -40)], [(-29, 5), (18, -14)]]),
    ("lateral_condyle", "lateral"): ("humerus", [[(8, 4), (-12, -40)], [(2, 10), (-8, -30)]]),
    ("olecranon", "ap"): ("ulna", [[(5, -28), (7, 48)], [(13, -28), (13, 48)]]),
    ("olecranon", "lateral"): ("ulna", [[(-8, -29), (-19, 44)], [(-13, -31), (-24, 46)]]),
    ("radial_head", "ap"): ("radius", [[(-24, 17), (-3, 19)], [(-22, 13), (-5, 32)]]),
    ("radial_head", "lateral"): ("radius", [[(-9, 16), (8, 20)], [(7, 14), (-4, 31)]]),
}
TENSION_BAND = {
    "ap": [(5, -26), (15, 2), (7, 28), (13, 31), (4, 4), (14, -26)],
    "lateral": [(-5, -29), (-17, -31), (-28, -16), (-32, 10), (-25, 32), (-18, 33)],
}
# fmt: on


def render_plate(patch: Patch, site: str, view: str, rng: np.random.Generator) -> Patch:
    """Render a plate with its screws; `patch` gives the bone's frame."""
    _, points, side = PLATES[site, view]
    path = smooth_curve(np.array(points, dtype=np.float64) + rng.normal(0, 0.4, 2), closed=False)
    metal = (
        METAL
        * (0.5 if side == 0 else 1.0)
        * rasterise_curve(patch, path, 8.5 if side == 0 else 3.0, 0.15)
    )
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    tangents = np.gradient(path, axis=0)
    for distance in np.linspace(4, length[-1] - 4, max(3, round(length[-1] / rng.uniform(9, 13)))):
        position = _interpolate(path, length, distance)
        if side == 0:
            hole = position + np.array([(-0.4, 0.0), (0.4, 0.0)])
            metal += METAL * (
                0.9 * rasterise_curve(patch, hole, 3.0, 0.15)
                - 0.3 * rasterise_curve(patch, hole, 5.0, 0.15)
            )
        elif rng.random() < 0.85:
            tangent = _interpolate(tangents, length, distance)
            inward = side * np.array([tangent[1], -tangent[0]]) / np.hypot(*tangent)
            screw = np.stack([position, position + inward * rng.uniform(13, 20)])
            metal = np.maximum(metal, METAL * rasterise_curve(patch, screw, 2.3, 0.15))
    return patch.with_depth(np.clip(metal, 0, 1.3 * METAL).astype(np.float32))


def render_wires(patch: Patch, site: str, view: str, rng: np.random.Generator) -> Patch:
    """Render Kirschner wires and, for the olecranon, a tension band."""
    metal = np.zeros_like(patch.depth)
    for line in WIRES[site, view][1]:
        ends = np.array(line, dtype=np.float64) + rng.normal(0, 1.2, (2, 2))
        metal = np.maximum(metal, METAL * 0.9 * rasterise_curve(patch, ends, 1.7, 0.15))
    if site == "olecranon":
        band = smooth_curve(np.array(TENSION_BAND[view], dtype=np.float64), closed=False)
        metal = np.maximum(metal, METAL * 0.8 * rasterise_curve(patch, band, 1.1, 0.15))
    return patch.with_depth(metal.astype(np.float32))


def _interpolate(
    path: Float[np.ndarray, "n 2"], length: Float[np.ndarray, "n"], distance: float
) -> Float[np.ndarray, "2"]:
    """Return the value of a path at a distance (mm) from its start."""
    return np.array([np.interp(distance, length, column) for column in path.T])
