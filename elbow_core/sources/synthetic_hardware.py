"""Metal and plaster: plates, screws, wires, casts and splints."""

import cv2
import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic_bones import Patch, smooth_curve, stroke

METAL = 1.3  # optical depth: little light passes, but the display does not burn out
PLASTER = 0.018  # per mm

# fmt: off
PLATES = {  # (bone, path of the plate in mm, seen face on)
    ("supracondylar", "ap"): (
        "humerus", [(-24.5, -4), (-23, -18), (-16, -38), (-12, -66)], False),
    ("supracondylar", "lateral"): (
        "humerus", [(-13, -8), (-14.5, -24), (-17.5, -45), (-18.5, -80)], False),
    ("lateral_condyle", "ap"): (
        "humerus", [(-25, -2), (-24.5, -16), (-17, -36), (-12, -55)], False),
    ("lateral_condyle", "lateral"): (
        "humerus", [(-8, -4), (-9, -22), (-9, -45), (-9, -62)], True),
    ("radial_head", "ap"): (
        "radius", [(-22.5, 15), (-18.5, 25), (-18.8, 40), (-20, 54)], False),
    ("radial_head", "lateral"): (
        "radius", [(0, 17), (0, 27), (-0.5, 40), (-1, 54)], True),
    ("olecranon", "ap"): (
        "ulna", [(9, -20), (9.5, 0), (10, 25), (10, 58)], True),
    ("olecranon", "lateral"): (
        "ulna", [(-6, -27.5), (-20, -27), (-29, -8), (-31, 20), (-31.5, 60)], False),
    ("radius_shaft", "ap"): (
        "radius", [(-14, 60), (-14.5, 95), (-15, 130)], True),
    ("radius_shaft", "lateral"): (
        "radius", [(6.5, 60), (6, 95), (5, 130)], False),
    ("ulna_shaft", "ap"): (
        "ulna", [(17.8, 60), (18.6, 95), (19.5, 130)], False),
    ("ulna_shaft", "lateral"): (
        "ulna", [(-23, 60), (-23.5, 95), (-24, 130)], True),
    ("humerus_shaft", "ap"): (
        "humerus", [(-12, -55), (-12, -95), (-12.5, -135)], False),
    ("humerus_shaft", "lateral"): (
        "humerus", [(-7, -55), (-7.5, -95), (-7.5, -135)], True),
}
WIRES = {
    ("supracondylar", "ap"): (
        "humerus", [[(-27, -2), (9, -48)], [(33, -8), (-9, -50)]]),
    ("supracondylar", "lateral"): (
        "humerus", [[(6, 8), (-12, -50)], [(-6, 8), (-4, -52)]]),
    ("lateral_condyle", "ap"): (
        "humerus", [[(-30, 0), (14, -40)], [(-29, 5), (18, -14)]]),
    ("lateral_condyle", "lateral"): (
        "humerus", [[(8, 4), (-12, -40)], [(2, 10), (-8, -30)]]),
    ("olecranon", "ap"): (
        "ulna", [[(5, -28), (7, 48)], [(13, -28), (13, 48)]]),
    ("olecranon", "lateral"): (
        "ulna", [[(-10, -30), (-21, 46)], [(-14, -31), (-26, 46)]]),
    ("radial_head", "ap"): (
        "radius", [[(-24, 17), (-3, 19)], [(-22, 13), (-5, 32)]]),
    ("radial_head", "lateral"): (
        "radius", [[(-9, 16), (8, 20)], [(7, 14), (-4, 31)]]),
}
# fmt: on


def plate(patch: Patch, site: str, view: str, rng: np.random.Generator) -> Patch:
    """Draw a plate with its screws, in its bone's frame."""
    _, points, face_on = PLATES[site, view]
    path = np.array(points, dtype=np.float64) + rng.normal(0, 0.5, 2)
    path = smooth_curve(path, closed=False)
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    blank = patch.with_depth(np.zeros_like(patch.depth))
    metal = METAL * stroke(blank, path, 8.5 if face_on else 3.0, 0.15)
    places = np.linspace(4, length[-1] - 4, max(3, round(length[-1] / 10)))
    centre = _axis(site, view)
    for at in places:
        x, y = np.interp(at, length, path[:, 0]), np.interp(at, length, path[:, 1])
        if face_on:
            hole = np.array([(x - 0.4, y), (x + 0.4, y)])
            metal += 0.6 * METAL * stroke(blank, hole, 3.2, 0.15)
        elif rng.random() < 0.85:
            inward = np.sign(centre - x)
            reach = rng.uniform(14, 22)
            shaft = np.array([(x, y), (x + inward * reach, y + rng.normal(0, 1.5))])
            metal = np.maximum(metal, METAL * stroke(blank, shaft, 2.3, 0.15))
    return patch.with_depth(np.minimum(metal, 1.5 * METAL).astype(np.float32))


def wires(patch: Patch, site: str, view: str, rng: np.random.Generator) -> Patch:
    """Draw Kirschner wires (for the olecranon, with a figure-of-eight band)."""
    _, lines = WIRES[site, view]
    blank = patch.with_depth(np.zeros_like(patch.depth))
    metal = np.zeros_like(patch.depth)
    for line in lines:
        ends = np.array(line, dtype=np.float64) + rng.normal(0, 1.5, (2, 2))
        metal = np.maximum(metal, METAL * 0.9 * stroke(blank, ends, 1.7, 0.15))
    if site == "olecranon":
        if view == "ap":
            band = [(5, -24), (14, 2), (8, 28), (13, 32), (5, 4), (13, -24)]
        else:
            band = [(-10, -29), (-27, -8), (-31, 12), (-24, 30)]
        loop = smooth_curve(np.array(band, dtype=np.float64), closed=False)
        metal = np.maximum(metal, METAL * 0.8 * stroke(blank, loop, 1.1, 0.15))
    return patch.with_depth(metal.astype(np.float32))


def _axis(site: str, view: str) -> float:
    bone = PLATES[site, view][0]
    axes = {"humerus": (0.0, -7.0), "radius": (-12.0, 0.0), "ulna": (10.0, -20.0)}
    return axes[bone][view == "lateral"]


def cast(
    skin: Float[np.ndarray, "h w"], resolution: float, splint: bool, rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Wrap plaster round the skin (a splint: one side only); `skin` is the distance inside, mm."""
    thickness = rng.uniform(3.5, 7)
    padding = rng.uniform(2, 6)
    outside = -skin - padding
    wall = np.exp(-(((outside - thickness / 2) / (thickness / 2)) ** 4))
    grain = cv2.GaussianBlur(rng.standard_normal(skin.shape, np.float32), (0, 0), 1.2 / resolution)
    cover = 1 / (1 + np.exp(np.clip(outside / 0.8, -30, 30)))  # rays cross both walls over the arm
    depth = PLASTER * thickness * (2.2 * wall + 1.6 * cover) * (1 + 0.5 * grain)
    if splint:
        height, width = skin.shape
        angle = rng.uniform(0, 2 * np.pi)
        x = np.linspace(-1, 1, width)[None, :] * np.cos(angle)
        y = np.linspace(-1, 1, height)[:, None] * np.sin(angle)
        depth = depth / (1 + np.exp(-(x + y) * 12))
    return np.clip(depth, 0, None).astype(np.float32)
