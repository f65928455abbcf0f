"""The bones of an elbow, from the front (AP) and from the side (lateral).

Millimetres of an adult right elbow. Both views share a frame for each bone: the centre of the joint
is the origin and y runs distally. AP: x runs medially. Lateral: x runs anteriorly, and the forearm
is drawn as if the elbow were straight; flexion turns it about the origin. Proportions follow the
radiographic lines: the anterior humeral line crosses the middle of the capitellum, the radius
points at the capitellum, the trochlear notch is concentric with the trochlea.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import (
    CORTICAL,
    Bone,
    Patch,
    Point,
    fill,
    render_bone,
    smooth_curve,
    stroke,
)

BONES = ("humerus", "radius", "ulna")
REACH = {"elbow": 135.0, "forearm": 230.0, "humerus": 230.0}


@dataclass(frozen=True)
class Anatomy:
    """What stays the same in every radiograph of one patient."""

    shape_seed: int
    breadth: float  # of the bones from the front, over an average adult's
    cortex: float  # thickness of the cortex over an average adult's
    density: float  # of spongy bone: low in osteopenia
    muscle: float  # half-thickness of the arm, mm
    fat: float  # subcutaneous, mm
    carrying_angle: float  # degrees of valgus
    growth_plates: float  # 0 closed, 1 wide open
    left: bool


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient."""
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


# fmt: off
HUMERUS_AP = np.array([
    (-11, -999), (-10.5, -75), (-11.5, -55), (-15.5, -40), (-21, -28), (-25.5, -17), (-26.5, -10),
    (-24, -4), (-23, 1), (-20.5, 6), (-14.5, 9), (-8.5, 8), (-4.5, 4), (-1.5, 4.2), (3, 6), (9, 3),
    (15, 5), (21, 9.5), (24, 7), (24.5, 0), (28, -4), (32.5, -10), (32, -16), (26.5, -22),
    (19.5, -32), (14, -46), (11.5, -60), (10.5, -75), (11, -999),
])
ULNA_AP = np.array([
    (3, -22), (8, -24.5), (14, -22.5), (17.5, -15), (18.5, -4), (20.5, 5), (23, 11), (21.5, 17),
    (18, 27), (16.5, 45), (17, 70), (18.5, 110), (19, 999), (6, 999), (5, 110), (3.5, 70), (3, 45),
    (2.5, 32), (0.5, 22), (-0.5, 14), (1, 7), (0.5, -2), (-0.5, -12),
])
RADIUS_AP = np.array([
    (-21.5, 11.8), (-17, 12.2), (-12, 12.8), (-7, 12.2), (-2.5, 11.8), (-1, 14.5), (-1.6, 20),
    (-4.6, 24.5), (-5.6, 30), (-4, 37), (-2.8, 42), (-4.5, 49), (-6.5, 60), (-7, 90), (-8, 999),
    (-22, 999), (-21, 90), (-20, 60), (-18.5, 45), (-17.6, 32), (-18.4, 25), (-21.5, 20),
    (-22.8, 14.5),
])
HUMERUS_LATERAL = np.array([
    (3, -999), (2.5, -70), (2.5, -45), (3.5, -32), (3, -22), (3.5, -14), (8, -10), (11.5, -4),
    (12, 2), (9, 8.5), (2.5, 12.2), (-4.5, 11), (-9.5, 6.5), (-11.8, 0), (-12.5, -7), (-14, -14),
    (-15.5, -24), (-16.5, -36), (-17, -55), (-17.5, -75), (-17.5, -999),
])
# (along the forearm, dorsal), as it lies at 90 degrees of flexion: turned into the frame below.
ULNA_LATERAL = np.array([
    (-13.4, 1.5), (-12.6, 5), (-10.4, 8.8), (-6.7, 12), (0, 13.8), (6.9, 11.9), (11.4, 7.7),
    (13.4, 2.4), (13.6, -2.5), (15.8, -4.5), (18, -1), (21, 5.5), (27, 10.5), (40, 13.5), (60, 15),
    (95, 16), (999, 17), (999, 30.5), (95, 30.5), (60, 31), (30, 31), (10, 30.5), (-8, 29),
    (-19, 26), (-26.5, 18.5), (-28.5, 9), (-27, 0), (-22.5, -5.5), (-17, -6), (-13.8, -3),
])
RADIUS_LATERAL = np.array([
    (14.3, -10.5), (14.9, -5), (15.4, 0), (14.9, 5), (14.3, 10.5), (17, 11.6), (22.5, 11),
    (26.5, 7.4), (31, 6.4), (38, 8.5), (44, 9.2), (52, 8), (65, 8), (95, 9.5), (999, 11.5),
    (999, -3.5), (95, -5), (65, -5.8), (48, -6), (38, -6.2), (30, -6.2), (26, -7.6), (22.5, -11),
    (17, -11.6),
])
PROFILES = {  # y, half-depth, cortex, density of the marrow
    ("humerus", "ap"): [(-140, 11, 3.8, .5), (-70, 10.5, 3.8, .5), (-45, 9, 2.8, .9),
                        (-28, 7.5, 1.6, 1.3), (-15, 8, 1.1, 1.4),
                        (0, 10.5, 1, 1.5), (10, 10, 1, 1.5)],
    ("ulna", "ap"): [(-24, 7.5, 1.8, 1), (0, 8, 1.8, 1.1), (15, 10, 1.3, 1.3), (30, 8, 2, 1),
                     (50, 6.6, 2.6, .6), (140, 6.4, 3, .4)],
    ("radius", "ap"): [(11, 9.5, 1, 1.3), (21, 9, 1, 1.2), (26, 6.5, 1.3, 1), (40, 7.5, 1.8, .8),
                       (55, 6.8, 2.4, .5), (140, 7, 2.8, .4)],
    ("humerus", "lateral"): [(-140, 10, 3.8, .5), (-70, 10, 3.6, .5), (-45, 9.5, 2.6, .9),
                             (-28, 9, 1.6, 1.2), (-12, 9, 1.2, 1.2),
                             (0, 10, 1, 1.2), (10, 10, 1, 1.2)],
    ("ulna", "lateral"): [(-28, 11, 1.8, 1.4), (-10, 11, 1.8, 1.4), (10, 10, 1.8, 1.3),
                          (30, 8, 2, 1), (50, 7, 2.6, .6), (140, 6.6, 3, .4)],
    ("radius", "lateral"): [(14, 9.5, 1, 1.2), (22, 9, 1, 1.2), (27, 6.5, 1.3, 1),
                            (40, 7.3, 1.8, .8),
                            (55, 6.8, 2.4, .5), (140, 6.8, 2.8, .4)],
}
GROWTH_PLATES = {
    "ap": [("humerus", [(-27, -5), (-17, -8), (-8, -5), (2, -4.5), (12, -6), (23, -3)]),
           ("humerus", [(26, -24), (25, -14), (24.5, -3)]),
           ("radius", [(-25, 19.5), (-12, 18.5), (0, 19.5)])],
    "lateral": [("humerus", [(14, -7), (5, -9), (-3, -6), (-9, 1), (-13, 5)]),
                ("radius", [(-13, 19.5), (0, 18.5), (13, 19.5)]),
                ("ulna", [(1, -13), (-8, -17), (-18, -20), (-26, -24)])],
}
# fmt: on


def _straight(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Turn points from 90 degrees of flexion into the frame of the straight elbow."""
    return np.stack([-points[:, 1], points[:, 0]], axis=1)


OUTLINES = {
    ("humerus", "ap"): HUMERUS_AP,
    ("ulna", "ap"): ULNA_AP,
    ("radius", "ap"): RADIUS_AP,
    ("humerus", "lateral"): HUMERUS_LATERAL,
    ("ulna", "lateral"): _straight(ULNA_LATERAL),
    ("radius", "lateral"): _straight(RADIUS_LATERAL),
}


def draw_bones(anatomy: Anatomy, view: str, reach: float, resolution: float) -> dict[str, Patch]:
    """Render the three bones of a patient in a view, each in its own frame, out to `reach` mm."""
    rng = np.random.default_rng(anatomy.shape_seed)
    bones = {}
    for name in BONES:
        outline = OUTLINES[name, view].copy()
        far = np.abs(outline[:, 1]) > 500
        outline[far, 1] = np.sign(outline[far, 1]) * reach
        outline += rng.normal(0, 0.25, outline.shape)
        if view == "ap":
            outline[:, 0] *= anatomy.breadth
        # An end given twice keeps the shaft straight: the curve's slope there is along the shaft.
        outline = np.repeat(outline, 1 + far, axis=0)
        profile = np.array(PROFILES[name, view], dtype=np.float64)
        profile[:, 2] *= anatomy.cortex
        profile[:, 3] *= anatomy.density
        bones[name] = render_bone(Bone(outline, profile), resolution, rng)
    if view == "ap":
        bones["humerus"] = _front_of_humerus(bones["humerus"])
        surface = [(-1, 7), (4, 8.5), (10, 6), (16, 8), (22, 12)]
        bones["ulna"] = _lined(bones["ulna"], surface, 1.5, CORTICAL * 3.5)
    else:
        bones["humerus"] = _side_of_humerus(bones["humerus"], rng)
        bones["ulna"] = _thinned(bones["ulna"], (4, 15), (9, 7), 0.7)  # the coronoid is slender
    if anatomy.growth_plates > 0:
        for name, line in GROWTH_PLATES[view]:
            gap = _lined(bones[name], line, 1.3, 1.0).depth - bones[name].depth
            rim = _lined(bones[name], line, 3.4, 1.0).depth - bones[name].depth - gap
            change = 1 - 0.55 * anatomy.growth_plates * gap + 0.12 * np.maximum(rim, 0)
            bones[name] = bones[name].with_depth((bones[name].depth * change).astype(np.float32))
    return bones


def _front_of_humerus(patch: Patch) -> Patch:
    """Thin the olecranon fossa, and draw its rim."""
    patch = _thinned(patch, (3.5, -19), (9, 7.5), 0.5)
    rim = [(-6, -17), (-4, -25), (4, -28), (12, -25), (14, -17)]
    return _lined(patch, rim, 1.6, CORTICAL * 2.2)


def _side_of_humerus(patch: Patch, rng: np.random.Generator) -> Patch:
    """Add the condyles, seen end on, and the hourglass of the two fossae."""
    patch = _thinned(patch, (-4.5, -19), (6, 8), 0.35)
    depth = patch.depth.copy()
    angles = np.linspace(0, 2 * np.pi, 41)
    for centre, radius, weight in (((0.8, 0.5), 11.2, 0.12), ((-0.3, 0.5), 8.8, 0.08)):
        x, y = np.asarray(centre) + rng.normal(0, 0.7, 2)  # the view is rarely strictly lateral
        circle = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
        depth += weight * fill(circle, depth.shape, patch.origin, patch.resolution)
        depth += CORTICAL * 2.2 * stroke(patch, circle, 1.0, 0.4)
    patch = patch.with_depth(depth)
    front = [(2.5, -42), (-0.5, -30), (-3, -20), (-0.5, -13), (4, -10)]
    back = [(-15.5, -42), (-10, -31), (-6.5, -21), (-7.5, -13), (-10, -8)]
    return _lined(_lined(patch, front, 1.5, CORTICAL * 4.5), back, 1.5, CORTICAL * 4.5)


def _lined(patch: Patch, points: Sequence[Point], width: float, strength: float) -> Patch:
    """Add a dense line, as of a joint surface or a rim seen end on."""
    line = smooth_curve(np.array(points, dtype=np.float64), closed=False)
    depth = patch.depth + np.float32(strength) * stroke(patch, line, width, 0.5)
    return patch.with_depth(depth)


def _thinned(patch: Patch, centre: Point, extent: Point, share: float) -> Patch:
    """Take away a share of the depth in an ellipse (mm) with soft edges."""
    x, y = patch.grid()
    square = ((x - centre[0]) / extent[0]) ** 2 + ((y - centre[1]) / extent[1]) ** 2
    return patch.with_depth((patch.depth * (1 - share * np.exp(-(square**2)))).astype(np.float32))
