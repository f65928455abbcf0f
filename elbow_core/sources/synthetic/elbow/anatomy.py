"""The anatomy of a patient, and the patient's bones rendered in each view."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elbow_core.sources.synthetic.bones import (
    CORTICAL,
    Bone,
    Patch,
    Point,
    rasterise_curve,
    rasterise_polygon,
    render_bone,
    smooth_curve,
)
from elbow_core.sources.synthetic.elbow.outlines import GROWTH_PLATES, OUTLINES, PROFILES

BONES = ("humerus", "radius", "ulna")
REACH = {"elbow": 135.0, "forearm": 230.0, "humerus": 230.0}


@dataclass(frozen=True)
class Anatomy:
    """The properties of a patient that all of the patient's radiographs share."""

    shape_seed: int
    breadth: float  # of the bones from the front, over an average adult's
    cortex: float  # thickness of the cortex over an average adult's
    density: float  # of spongy bone: low in osteopenia
    muscle: float  # half-thickness of the arm, mm
    fat: float  # subcutaneous, mm
    carrying_angle: float  # degrees of valgus
    growth_plates: float  # 0 closed, 1 wide open
    left: bool


def sample_anatomy(rng: np.random.Generator) -> Anatomy:
    """Sample a patient."""
    return Anatomy(
        shape_seed=int(rng.integers(2**31)),
        breadth=float(rng.uniform(0.93, 1.07)),
        cortex=float(rng.uniform(0.75, 1.2)),
        density=float(rng.uniform(0.7, 1.3)),
        muscle=float(rng.uniform(29, 46)),
        fat=float(rng.uniform(2.5, 9)),
        carrying_angle=float(rng.uniform(4, 14)),
        growth_plates=float(rng.uniform(0.4, 1.0)) if rng.random() < 0.3 else 0.0,
        left=bool(rng.random() < 0.5),
    )


def render_bones(anatomy: Anatomy, view: str, reach: float, resolution: float) -> dict[str, Patch]:
    """Render the three bones of a patient in a view, each in its own frame, up to ``reach`` mm."""
    rng = np.random.default_rng(anatomy.shape_seed)
    bones = {}
    for name in BONES:
        outline = OUTLINES[name, view].copy()
        is_end = np.abs(outline[:, 1]) > 500
        outline[is_end, 1] = np.sign(outline[is_end, 1]) * reach
        outline += rng.normal(0, 0.25, outline.shape)
        if view == "ap":
            outline[:, 0] *= anatomy.breadth
        # A repeated end point makes the end of the curve parallel to the shaft.
        outline = np.repeat(outline, 1 + is_end, axis=0)
        profile = np.array(PROFILES[name, view], dtype=np.float64)
        profile[:, 2] *= anatomy.cortex
        profile[:, 3] *= anatomy.density
        bones[name] = render_bone(Bone(outline, profile), resolution, rng)
    if view == "ap":
        bones["humerus"] = _add_frontal_details(bones["humerus"])
        surface = [(-1, 7), (4, 8.5), (10, 6), (16, 8), (22, 12)]
        bones["ulna"] = _with_line(bones["ulna"], surface, 1.5, CORTICAL * 3.5)
    else:
        bones["humerus"] = _add_lateral_details(bones["humerus"], rng)
        bones["ulna"] = _with_thin_area(
            bones["ulna"], (4, 15), (9, 7), 0.7
        )  # the coronoid is slender
    if anatomy.growth_plates > 0:
        for name, line in GROWTH_PLATES[view]:
            gap = _with_line(bones[name], line, 1.3, 1.0).depth - bones[name].depth
            rim = _with_line(bones[name], line, 3.4, 1.0).depth - bones[name].depth - gap
            change = 1 - 0.55 * anatomy.growth_plates * gap + 0.12 * np.maximum(rim, 0)
            bones[name] = bones[name].with_depth((bones[name].depth * change).astype(np.float32))
    return bones


def _add_frontal_details(patch: Patch) -> Patch:
    """Thin the olecranon fossa, and add its rim."""
    patch = _with_thin_area(patch, (3.5, -19), (9, 7.5), 0.5)
    rim = [(-6, -17), (-4, -25), (4, -28), (12, -25), (14, -17)]
    return _with_line(patch, rim, 1.6, CORTICAL * 2.2)


def _add_lateral_details(patch: Patch, rng: np.random.Generator) -> Patch:
    """Add the condyles, seen end on, and the hourglass shape of the two fossae."""
    patch = _with_thin_area(patch, (-4.5, -19), (6, 8), 0.35)
    depth = patch.depth.copy()
    angles = np.linspace(0, 2 * np.pi, 41)
    for centre, radius, weight in (((0.8, 0.5), 11.2, 0.12), ((-0.3, 0.5), 8.8, 0.08)):
        x, y = np.asarray(centre) + rng.normal(0, 0.7, 2)  # the view is rarely strictly lateral
        circle = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
        depth += weight * rasterise_polygon(circle, depth.shape, patch.origin, patch.resolution)
        depth += CORTICAL * 2.2 * rasterise_curve(patch, circle, 1.0, 0.4)
    patch = patch.with_depth(depth)
    anterior = [(2.5, -42), (-0.5, -30), (-3, -20), (-0.5, -13), (4, -10)]
    posterior = [(-15.5, -42), (-10, -31), (-6.5, -21), (-7.5, -13), (-10, -8)]
    return _with_line(
        _with_line(patch, anterior, 1.5, CORTICAL * 4.5), posterior, 1.5, CORTICAL * 4.5
    )


def _with_line(patch: Patch, points: Sequence[Point], width: float, strength: float) -> Patch:
    """Add a dense line, such as a joint surface or a rim seen end on."""
    line = smooth_curve(np.array(points, dtype=np.float64), closed=False)
    depth = patch.depth + np.float32(strength) * rasterise_curve(patch, line, width, 0.5)
    return patch.with_depth(depth)


def _with_thin_area(patch: Patch, centre: Point, extent: Point, share: float) -> Patch:
    """Remove a share of the depth in an ellipse (mm) with soft edges."""
    x, y = patch.grid()
    square = ((x - centre[0]) / extent[0]) ** 2 + ((y - centre[1]) / extent[1]) ** 2
    return patch.with_depth((patch.depth * (1 - share * np.exp(-(square**2)))).astype(np.float32))
