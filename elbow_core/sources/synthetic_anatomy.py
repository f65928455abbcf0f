"""The bones of an elbow, from the front (AP) and from the side (lateral).

Millimetres of an adult right elbow. Both views share a frame for each bone: the centre of the joint
is the origin and y runs distally. AP: x runs medially. Lateral: x runs anteriorly, and the forearm
is drawn as if the elbow were straight; flexion turns it about the origin. Proportions follow the
radiographic lines: the anterior humeral line crosses the middle of the capitellum, the radius
points at the capitellum, the trochlear notch is concentric with the trochlea.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic_bones import (
    CORTICAL,
    Bone,
    Patch,
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
    robustness: float  # breadth of the bones over an average adult's
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
        robustness=float(rng.uniform(0.9, 1.1)),
        cortex=float(rng.uniform(0.75, 1.2)),
        density=float(rng.uniform(0.7, 1.3)),
        muscle=float(rng.uniform(30, 44)),
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
    (12, 2), (9, 8.5), (2.5, 12.2), (-4.5, 11), (-9.5, 6.5), (-11.5, 0), (-11.5, -6), (-12.5, -14),
    (-14, -24), (-16, -36), (-17, -55), (-17.5, -75), (-17.5, -999),
])
# (along the forearm, dorsal), as it lies at 90 degrees of flexion: turned into the frame below.
ULNA_LATERAL = np.array([
    (-13.4, 1.5), (-12.6, 5), (-10.4, 8.8), (-6.7, 12), (0, 13.8), (6.9, 11.9), (11.4, 7.7),
    (13.4, 2.4), (13.6, -2.5), (15.8, -4.5), (18, -1), (21, 5.5), (27, 10.5), (40, 13.5), (60, 15),
    (95, 16), (999, 17), (999, 30.5), (95, 30.5), (60, 31), (30, 30.5), (10, 29.5), (-8, 28),
    (-19, 25), (-26, 18.5), (-28, 10), (-26.5, 2), (-21.5, -2.5), (-16.5, -1.8),
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
    ("ulna", "ap"): [(-24, 7, 1.2, 1.2), (0, 8.5, 1.2, 1.2), (15, 10, 1.3, 1.3), (30, 8, 2, 1),
                     (50, 6.6, 2.6, .6), (140, 6.4, 3, .4)],
    ("radius", "ap"): [(11, 9.5, 1, 1.3), (21, 9, 1, 1.2), (26, 6.5, 1.3, 1), (40, 7.5, 1.8, .8),
                       (55, 6.8, 2.4, .5), (140, 7, 2.8, .4)],
    ("humerus", "lateral"): [(-140, 10, 3.8, .5), (-70, 10, 3.6, .5), (-45, 9.5, 2.6, .9),
                             (-28, 9, 1.6, 1.2), (-12, 9, 1.2, 1.2),
                             (0, 11, 1, 1.2), (10, 10, 1, 1.2)],
    ("ulna", "lateral"): [(-28, 9, 1.3, 1.2), (-10, 9.5, 1.3, 1.3), (10, 10, 1.5, 1.3),
                          (30, 8, 2, 1), (50, 7, 2.6, .6), (140, 6.6, 3, .4)],
    ("radius", "lateral"): [(14, 9.5, 1, 1.2), (22, 9, 1, 1.2), (27, 6.5, 1.3, 1),
                            (40, 7.3, 1.8, .8),
                            (55, 6.8, 2.4, .5), (140, 6.8, 2.8, .4)],
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
        outline = np.where(np.abs(OUTLINES[name, view]) > 500, np.nan, OUTLINES[name, view])
        end = np.sign(OUTLINES[name, view][:, 1]) * reach
        outline[:, 1] = np.where(np.isnan(outline[:, 1]), end, outline[:, 1])
        outline = outline + rng.normal(0, 0.25, outline.shape)
        profile = np.array(PROFILES[name, view], dtype=np.float64)
        profile[:, 2] *= anatomy.cortex
        profile[:, 3] *= anatomy.density
        bones[name] = render_bone(Bone(outline, profile), resolution, rng)
    if view == "ap":
        bones["humerus"] = _front_of_humerus(bones["humerus"])
        bones["ulna"] = _joint_surface(
            bones["ulna"], [(-1, 7), (4, 8.5), (10, 6), (16, 8), (22, 12)]
        )
    else:
        bones["humerus"] = _side_of_humerus(bones["humerus"])
    return bones


def _front_of_humerus(patch: Patch) -> Patch:
    """Thin the olecranon fossa, and draw its rim."""
    x, y = patch.grid()
    fossa = np.exp(-((((x - 3.5) / 9) ** 2 + ((y + 19) / 7.5) ** 2) ** 2))
    rim = smooth_curve(
        np.array([(-6, -17), (-4, -25), (4, -28), (12, -25), (14, -17)]), closed=False
    )
    depth = patch.depth * (1 - 0.5 * fossa) + CORTICAL * 2.2 * stroke(patch, rim, 1.6, 0.6)
    return patch.with_depth(depth.astype(np.float32))


def _side_of_humerus(patch: Patch) -> Patch:
    """Add the condyles, seen end on, and the hourglass of the two fossae."""
    depth = patch.depth.copy()
    x, y = patch.grid()
    waist = np.exp(-(((x + 4.5) / 6) ** 2 + ((y + 19) / 9) ** 2))
    depth *= 1 - 0.45 * waist
    for cx, cy, radius, weight in ((1.0, 0.5, 11.2, 0.32), (-0.3, 0.5, 9.0, 0.16)):
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        circle = np.stack([cx + radius * np.cos(angles), cy + radius * np.sin(angles)], 1)
        disc = fill(circle, depth.shape, patch.origin, patch.resolution)
        ring = stroke(patch, np.concatenate([circle, circle[:1]]), 1.0, 0.4)
        depth += weight * disc + CORTICAL * 3.5 * ring
    for curve in (
        [(2.5, -42), (-0.5, -30), (-3, -20), (-0.5, -13), (4, -10)],
        [(-15.5, -42), (-10, -31), (-6.5, -21), (-7.5, -13), (-10, -8)],
    ):
        line = smooth_curve(np.array(curve, dtype=np.float64), closed=False)
        depth += CORTICAL * 4.5 * stroke(patch, line, 1.5, 0.5)
    return patch.with_depth(depth.astype(np.float32))


def _joint_surface(patch: Patch, points: list[tuple[float, float]]) -> Patch:
    """Add the dense plate of bone under a joint surface."""
    line = smooth_curve(np.array(points, dtype=np.float64), closed=False)
    return patch.with_depth(patch.depth + CORTICAL * 3.5 * stroke(patch, line, 1.5, 0.5))
