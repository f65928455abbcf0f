"""The fractures and dislocations of an elbow: where a bone breaks, and how the pieces move."""

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.fractures import FAR, Fracture, half_plane, rigid_motion

SITES = {
    "elbow": ("supracondylar", "lateral_condyle", "radial_head", "olecranon"),
    "forearm": ("radius_shaft", "ulna_shaft", "both_shafts"),
    "humerus": ("humerus_shaft",),
}


def sample_fracture(site: str, view: str, severity: float, rng: np.random.Generator) -> Fracture:
    """Sample a fracture of a site; `severity` is from 0 (undisplaced) to 1 (far displaced)."""
    side = float(rng.choice((-1.0, 1.0)))
    variation = rng.normal(0, 1, 4)
    amount = severity * rng.uniform(0.75, 1.25)
    if site == "supracondylar":
        return _supracondylar(view, amount, side, variation)
    if site == "lateral_condyle":
        return _lateral_condyle(view, amount, variation)
    if site == "radial_head":
        return (_radial_neck if variation[2] > 0 else _radial_head)(view, amount, side, variation)
    if site == "olecranon":
        return _olecranon(view, amount, side, variation)
    return _shaft(site.removesuffix("_shaft"), view, amount, side, variation)


def _supracondylar(
    view: str, amount: float, side: float, variation: Float[np.ndarray, "4"]
) -> Fracture:
    """Across the humerus above the fossae; the elbow moves sideways (AP) or back (lateral)."""
    y = -30 + 3 * variation[0]
    slope = 6 * variation[1] if view == "ap" else 5 + 3 * variation[1]
    width = 25 if view == "ap" else 14
    points = [(-width, y - slope), (-4, y + 2 * variation[2]), (width, y + slope)]
    gap = 1.5 * min(1.0, 4 * amount) + 2 * amount
    if view == "ap":
        motion = rigid_motion(side * 14 * amount, gap, side * 19 * amount, (0, -30))
    else:
        motion = rigid_motion(-13 * amount, gap, 26 * amount, (-8, -30))
    return Fracture("humerus", half_plane(points, FAR), motion, carries_forearm=True)


def _lateral_condyle(view: str, amount: float, variation: Float[np.ndarray, "4"]) -> Fracture:
    """From the lateral ridge into the joint; the muscles rotate the fragment."""
    if view == "ap":
        line = [(-60, -26), (-22, -22 + variation[0]), (-11, -8 + 2 * variation[1]), (-2, 2)]
        region = np.array([*line, (-2, 40), (-60, 40)], dtype=np.float64)
        motion = rigid_motion(-7 * amount, 4 * amount, -30 * amount, (-14, 0))
        return Fracture("humerus", region, motion)
    line = [(-40, -24 + 2 * variation[0]), (-8, -13 + variation[1]), (5, -9), (40, -9)]
    region = np.array([*line, (40, 40), (-40, 40)], dtype=np.float64)
    # The trochlea is behind the capitellum in this view, and is not displaced.
    motion = rigid_motion(-9 * amount, 5 * amount, 30 * amount)
    return Fracture("humerus", region, motion, share=0.6)


def _radial_neck(
    view: str, amount: float, side: float, variation: Float[np.ndarray, "4"]
) -> Fracture:
    """Across the neck of the radius; the head tilts, outwards in AP."""
    centre, tilt = (-12, -1.0) if view == "ap" else (0, 1.3 * side)
    line = [(centre - 12, 25 + variation[0]), (centre, 24), (centre + 12, 25 + variation[1])]
    motion = rigid_motion(4 * tilt * amount, -0.5 * amount, 38 * tilt * amount, (centre, 24))
    return Fracture("radius", half_plane(line, -FAR), motion)


def _radial_head(
    view: str, amount: float, side: float, variation: Float[np.ndarray, "4"]
) -> Fracture:
    """Through the head, anterior in the lateral view; the fragment sinks and tilts away."""
    centre, side = (-12, side) if view == "ap" else (0, 1.0)
    edge, outer = centre - side * (1.5 + variation[0]), centre + side * 50
    line = [(edge, -40), (edge, 16), (centre + side * 7, 27 + variation[1])]
    region = np.array([*line, (outer, 27), (outer, -40)], dtype=np.float64)
    distance = amount if view == "ap" else 1.3 * amount
    return Fracture(
        "radius",
        region,
        rigid_motion(side * 6 * distance, 6.5 * distance, side * 20 * distance, (centre, 15)),
    )


def _olecranon(
    view: str, amount: float, side: float, variation: Float[np.ndarray, "4"]
) -> Fracture:
    """Through the trochlear notch; the triceps pulls the fragment up."""
    if view == "ap":
        line = [(-4, 12 + 2 * variation[0]), (9, 13 + variation[1]), (24, 14 + 2 * variation[2])]
        motion = rigid_motion(4 * side * amount, -16 * amount, 18 * side * amount, (9, 6))
        # The line runs to the back of the ulna; the coronoid, in front, is not displaced.
        return Fracture("ulna", half_plane(line, -FAR), motion, share=0.85)
    line = [(-34, 3 + 4 * variation[0]), (-14, -1 + 2 * variation[1]), (0, -2)]
    motion = rigid_motion(-amount, -13 * amount, -16 * amount, (-14, -2))
    return Fracture("ulna", half_plane(line, -FAR), motion)


def _shaft(
    bone: str, view: str, amount: float, side: float, variation: Float[np.ndarray, "4"]
) -> Fracture:
    """Obliquely across a shaft; the distal part moves sideways and angulates."""
    y = (-95 if bone == "humerus" else 95) + 9 * variation[0]
    centre = {
        "ap": {"humerus": 0, "radius": -14, "ulna": 11},
        "lateral": {"humerus": -7, "radius": 3, "ulna": -23},
    }[view][bone]
    slope = 7 * variation[1]
    line = [(centre - 12, y - slope), (centre + 1, y), (centre + 12, y + slope)]
    motion = rigid_motion(side * 10 * amount, 2 * amount, side * 16 * amount, (centre, y))
    return Fracture(bone, half_plane(line, FAR), motion, carries_forearm=bone == "humerus")


def sample_dislocation(view: str, rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """Sample the motion of the forearm: mostly back and up (lateral), sideways and up (AP)."""
    rotation = rng.normal(0, 6)
    if view == "ap":
        side = rng.choice((-1.0, 1.0), p=(0.7, 0.3))
        return rigid_motion(
            side * rng.uniform(8, 22), -rng.uniform(7, 18), rotation - side * rng.uniform(0, 12)
        )
    if rng.random() < 0.1:
        return rigid_motion(rng.uniform(18, 26), rng.uniform(-18, -4), rotation)
    return rigid_motion(-rng.uniform(17, 28), rng.uniform(-16, 4), rotation)
