"""One procedural radiograph: a patient, a view and a finding become grey pixels."""

import numpy as np
from jaxtyping import UInt8

from elbow_core.sources.synthetic.anatomy import REACH, Anatomy, draw_anatomy, draw_bones
from elbow_core.sources.synthetic.injury import FINDINGS, INJURIES
from elbow_core.sources.synthetic.pose import pose_limb
from elbow_core.sources.synthetic.rendering import (
    Frame,
    display,
    draw_frame,
    expose,
    marker,
    place,
)
from elbow_core.sources.synthetic.soft_tissue import MUSCLE, cast, wrap

VIEWS = ("ap", "lateral")
PARTS = ("elbow", "forearm", "humerus")
MIDDLE = {"elbow": (0.0, 0.0), "forearm": (-4.0, 88.0), "humerus": (-3.0, -88.0)}


def render_radiograph(
    rng: np.random.Generator,
    view: str,
    finding: str,
    size: int = 360,
    part: str = "elbow",
    anatomy: Anatomy | None = None,
) -> UInt8[np.ndarray, "h w"]:
    """Draw a radiograph of a finding, long side `size` pixels, bone bright on dark.

    The same generator state, view, finding, size, part and anatomy give the same pixels. Without an
    anatomy a new patient is drawn. Raises ValueError for an unknown view, finding or part.
    """
    for value, known in ((view, VIEWS), (finding, FINDINGS), (part, PARTS)):
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
    if anatomy is None:
        anatomy = draw_anatomy(rng)
    field = rng.uniform(142, 200)  # mm along the long side
    bones = draw_bones(anatomy, view, REACH[part], 0.85 * field / size)
    limb = pose_limb(bones, view, finding, part, anatomy, rng)
    frame = _aim(limb.forearm, view, part, anatomy, field, size, rng)
    hurt = finding in INJURIES or finding == "contusion"
    swelling = rng.uniform(0, 4.5) if hurt else rng.uniform(0, 2.5)
    effusion = rng.random() < (0.8 if finding in INJURIES else 0.35 if hurt else 0.03)
    depth, skin = wrap(frame, limb, view, anatomy, swelling, bool(effusion), rng)
    for piece in limb.pieces:
        depth += place(frame, piece.patch, piece.matrix)
    if finding == "treated_fracture_cast" or rng.random() < (0.12 if finding in INJURIES else 0.02):
        depth += cast(skin, frame.resolution, bool(rng.random() < 0.35), rng)
    depth += marker(frame, anatomy.left, rng)
    usual = 2 * anatomy.muscle * MUSCLE + 0.56
    return display(expose(depth, usual, frame, rng), frame, rng)


def _aim(
    forearm: np.ndarray,
    view: str,
    part: str,
    anatomy: Anatomy,
    field: float,
    size: int,
    rng: np.random.Generator,
) -> Frame:
    """Centre the beam on the part and turn the plate under the arm."""
    turn = rng.normal(0, 6)
    middle = np.array([*MIDDLE[part], 1.0])
    if part == "forearm":
        middle = forearm @ middle
    elif view == "lateral":
        middle = middle + np.array([11.0, -4.0, 0.0])
    if view == "lateral":
        turn += rng.normal(0, 8) + rng.choice((0.0, 90.0, -90.0), p=(0.86, 0.07, 0.07))
    return draw_frame(size, field, (float(middle[0]), float(middle[1])), turn, anatomy.left, rng)
