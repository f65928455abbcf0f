"""What happens to the bones: fractures, dislocations, and how they look once treated or healed.

A fracture is a region of one bone that breaks off and a rigid motion of that fragment. The same
fracture, nearly undone and with its line faint, is a treated one; with callus, a healed one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import Patch, Point, split

NORMALS = (
    "normal",
    "contusion",
    "treated_fracture_plate",
    "treated_fracture_cast",
    "healed_fracture",
)
INJURIES = (
    "supracondylar_fracture",
    "lateral_condyle_fracture",
    "radial_head_fracture",
    "olecranon_fracture",
    "dislocation",
    "fracture_dislocation",
    "shaft_fracture",
)
FINDINGS = NORMALS + INJURIES
SITES = {
    "elbow": ("supracondylar", "lateral_condyle", "radial_head", "olecranon"),
    "forearm": ("radius_shaft", "ulna_shaft", "both_shafts"),
    "humerus": ("humerus_shaft",),
}
FAR = 400.0


@dataclass(frozen=True)
class Piece:
    """A map and where it lies: `matrix` takes its frame (mm) to the humerus's."""

    patch: Patch
    matrix: Float[np.ndarray, "3 3"]
    metal: bool = False


@dataclass(frozen=True)
class Fracture:
    """One break: the bone, the region (mm) that comes off, and how that fragment moves."""

    bone: str
    region: Float[np.ndarray, "n 2"]
    moved: Float[np.ndarray, "3 3"]
    carries_forearm: bool = False
    share: float = 1.0  # of the depth inside the region: a fragment may lie before another part


def motion(
    dx: float = 0.0, dy: float = 0.0, degrees: float = 0.0, about: Point = (0, 0)
) -> Float[np.ndarray, "3 3"]:
    """Turn by `degrees` (from x towards y) about a point (mm), then shift by (dx, dy) mm."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    px, py = about
    return np.array(
        [[c, -s, px - c * px + s * py + dx], [s, c, py - s * px - c * py + dy], [0, 0, 1]]
    )


def _band(points: Sequence[Point], towards: float) -> Float[np.ndarray, "n 2"]:
    """Everything on one side (`towards` in y) of a line that crosses the bone."""
    (_, first), (_, last) = points[0], points[-1]
    return np.array([(-FAR, first), *points, (FAR, last), (FAR, towards), (-FAR, towards)])


def draw_fracture(site: str, view: str, severity: float, rng: np.random.Generator) -> Fracture:
    """Draw a fracture of a site; `severity` from 0 (in place) to 1 (far displaced)."""
    side = float(rng.choice((-1.0, 1.0)))
    wobble = rng.normal(0, 1, 4)
    amount = severity * rng.uniform(0.75, 1.25)
    if site == "supracondylar":
        return _supracondylar(view, amount, side, wobble)
    if site == "lateral_condyle":
        return _lateral_condyle(view, amount, wobble)
    if site == "radial_head":
        return (_radial_neck if wobble[2] > 0 else _radial_head)(view, amount, side, wobble)
    if site == "olecranon":
        return _olecranon(view, amount, side, wobble)
    return _shaft(site.removesuffix("_shaft"), view, amount, side, wobble)


def _supracondylar(
    view: str, amount: float, side: float, wobble: Float[np.ndarray, "4"]
) -> Fracture:
    """Break across the humerus above the fossae; the elbow goes aside (AP) or back (lateral)."""
    y = -30 + 3 * wobble[0]
    slope = 6 * wobble[1] if view == "ap" else 5 + 3 * wobble[1]
    width = 25 if view == "ap" else 14
    points = [(-width, y - slope), (-4, y + 2 * wobble[2]), (width, y + slope)]
    gap = 1.5 * min(1.0, 4 * amount) + 2 * amount
    if view == "ap":
        moved = motion(side * 14 * amount, gap, side * 19 * amount, (0, -30))
    else:
        moved = motion(-13 * amount, gap, 26 * amount, (-8, -30))
    return Fracture("humerus", _band(points, FAR), moved, carries_forearm=True)


def _lateral_condyle(view: str, amount: float, wobble: Float[np.ndarray, "4"]) -> Fracture:
    """Break from the lateral ridge down into the joint; the muscles turn the fragment."""
    if view == "ap":
        line = [(-60, -26), (-22, -22 + wobble[0]), (-11, -8 + 2 * wobble[1]), (-2, 2)]
        region = np.array([*line, (-2, 40), (-60, 40)], dtype=np.float64)
        return Fracture("humerus", region, motion(-7 * amount, 4 * amount, -30 * amount, (-14, 0)))
    line = [(-40, -24 + 2 * wobble[0]), (-8, -13 + wobble[1]), (5, -9), (40, -9)]
    region = np.array([*line, (40, 40), (-40, 40)], dtype=np.float64)
    # The trochlea lies behind the capitellum in this view, and stays in its place.
    moved = motion(-9 * amount, 5 * amount, 30 * amount)
    return Fracture("humerus", region, moved, share=0.6)


def _radial_neck(view: str, amount: float, side: float, wobble: Float[np.ndarray, "4"]) -> Fracture:
    """Break across the neck of the radius; the head tilts, outwards in AP."""
    centre, tilt = (-12, -1.0) if view == "ap" else (0, 1.3 * side)
    line = [(centre - 12, 25 + wobble[0]), (centre, 24), (centre + 12, 25 + wobble[1])]
    moved = motion(4 * tilt * amount, -0.5 * amount, 38 * tilt * amount, (centre, 24))
    return Fracture("radius", _band(line, -FAR), moved)


def _radial_head(view: str, amount: float, side: float, wobble: Float[np.ndarray, "4"]) -> Fracture:
    """Split a part of the head off, in front if seen from the side; it sinks and tilts away."""
    centre, side = (-12, side) if view == "ap" else (0, 1.0)
    edge, outer = centre - side * (1.5 + wobble[0]), centre + side * 50
    line = [(edge, -40), (edge, 16), (centre + side * 7, 27 + wobble[1])]
    region = np.array([*line, (outer, 27), (outer, -40)], dtype=np.float64)
    far = amount if view == "ap" else 1.3 * amount
    return Fracture(
        "radius", region, motion(side * 6 * far, 6.5 * far, side * 20 * far, (centre, 15))
    )


def _olecranon(view: str, amount: float, side: float, wobble: Float[np.ndarray, "4"]) -> Fracture:
    """Break through the trochlear notch; the triceps pulls the fragment up."""
    if view == "ap":
        line = [(-4, 12 + 2 * wobble[0]), (9, 13 + wobble[1]), (24, 14 + 2 * wobble[2])]
        moved = motion(4 * side * amount, -16 * amount, 18 * side * amount, (9, 6))
        # The break runs to the back of the ulna; the coronoid, in front, stays in its place.
        return Fracture("ulna", _band(line, -FAR), moved, share=0.85)
    line = [(-34, 3 + 4 * wobble[0]), (-14, -1 + 2 * wobble[1]), (0, -2)]
    moved = motion(-amount, -13 * amount, -16 * amount, (-14, -2))
    return Fracture("ulna", _band(line, -FAR), moved)


def _shaft(
    bone: str, view: str, amount: float, side: float, wobble: Float[np.ndarray, "4"]
) -> Fracture:
    """Break across a shaft, aslant; the far part goes aside and bends."""
    y = (-95 if bone == "humerus" else 95) + 9 * wobble[0]
    centre = {
        "ap": {"humerus": 0, "radius": -14, "ulna": 11},
        "lateral": {"humerus": -7, "radius": 3, "ulna": -23},
    }[view][bone]
    slope = 7 * wobble[1]
    line = [(centre - 12, y - slope), (centre + 1, y), (centre + 12, y + slope)]
    moved = motion(side * 10 * amount, 2 * amount, side * 16 * amount, (centre, y))
    return Fracture(bone, _band(line, FAR), moved, carries_forearm=bone == "humerus")


def dislocate(view: str, rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """Draw where the forearm goes: mostly behind and above (lateral), aside and above (AP)."""
    turn = rng.normal(0, 6)
    if view == "ap":
        side = rng.choice((-1.0, 1.0), p=(0.7, 0.3))
        return motion(
            side * rng.uniform(8, 22), -rng.uniform(7, 18), turn - side * rng.uniform(0, 12)
        )
    if rng.random() < 0.1:
        return motion(rng.uniform(18, 26), rng.uniform(-18, -4), turn)
    return motion(-rng.uniform(17, 28), rng.uniform(-16, 4), turn)


def break_bone(
    patch: Patch, fracture: Fracture, stage: str, rng: np.random.Generator
) -> list[Piece]:
    """Break a bone into pieces in its own frame.

    `stage` is "fresh" (a dark line), "treated" (a faint one) or "healed" (one piece, with callus).
    """
    rest, fragment = split(patch, fracture.region, rng)
    inside = fragment.depth / np.maximum(patch.depth, 1e-3)
    if fracture.share < 1:
        stays = fragment.depth * np.float32(1 - fracture.share)
        rest = rest.with_depth(rest.depth + stays)
        fragment = fragment.with_depth(fragment.depth - stays)
    if stage == "healed":
        return [Piece(_healed(rest, fragment, inside, fracture.moved, rng), np.eye(3))]
    lucency = rng.uniform(0.85, 1.0) if stage == "fresh" else rng.uniform(0.1, 0.35)
    width = 1.1 if stage == "fresh" else 0.7
    line = 1 - np.float32(lucency) * _along_break(inside, width / patch.resolution)
    return [
        Piece(rest.with_depth(rest.depth * line), np.eye(3)),
        Piece(fragment.with_depth(fragment.depth * line), fracture.moved),
    ]


def _along_break(inside: Float[np.ndarray, "h w"], sigma: float) -> Float[np.ndarray, "h w"]:
    """Give 1 on the border of the fragment, falling to 0 over some `sigma` pixels."""
    soft = cv2.GaussianBlur(inside, (0, 0), sigma)
    return np.clip(4 * soft * (1 - soft), 0, 1)


def _healed(
    rest: Patch,
    fragment: Patch,
    inside: Float[np.ndarray, "h w"],
    moved: Float[np.ndarray, "3 3"],
    rng: np.random.Generator,
) -> Patch:
    """Join two fragments as callus does: the gap filled, the outline swollen, the site dense."""
    step = rest.resolution
    to_mm = np.array([[step, 0, rest.origin[0]], [0, step, rest.origin[1]], [0, 0, 1]])
    warp = (np.linalg.inv(to_mm) @ moved @ to_mm)[:2]
    size = rest.depth.shape[::-1]
    depth = rest.depth + cv2.warpAffine(fragment.depth, warp, size)
    site = _along_break(cv2.warpAffine(inside, warp, size), 4.5 / step)
    cloud = cv2.GaussianBlur(depth, (0, 0), 3.8 / step)
    reach = 2 * round(4.0 / step) + 1
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    filled = np.maximum(0.9 * cv2.morphologyEx(depth, cv2.MORPH_CLOSE, bridge), 1.1 * cloud)
    depth = depth + site * np.maximum(filled - depth, 0)
    halo = cv2.GaussianBlur(depth, (0, 0), 1.8 / step)
    return rest.with_depth(depth + np.float32(rng.uniform(0.35, 0.65)) * site * halo)
