"""Render one synthetic radiograph of a patient, a view and a finding."""

import numpy as np

from elbow_core.dataset import Region
from elbow_core.sources.synthetic.elbow.anatomy import REACH, Anatomy, render_bones, sample_anatomy
from elbow_core.sources.synthetic.elbow.pose import Limb, pose_limb
from elbow_core.sources.synthetic.elbow.soft_tissue import render_soft_tissue
from elbow_core.sources.synthetic.findings import FINDINGS, INJURIES
from elbow_core.sources.synthetic.locations import (
    Radiograph,
    locate_break,
    locate_dislocation,
    locate_metal,
)
from elbow_core.sources.synthetic.rendering import (
    Frame,
    apply_display,
    expose,
    project,
    render_marker,
    sample_frame,
)
from elbow_core.sources.synthetic.soft_tissue import MUSCLE, render_cast

VIEWS = ("ap", "lateral")
PARTS = ("elbow", "forearm", "humerus")
CENTRES = {"elbow": (0.0, 0.0), "forearm": (-4.0, 88.0), "humerus": (-3.0, -88.0)}


def render_radiograph(
    rng: np.random.Generator,
    view: str,
    finding: str,
    size: int = 360,
    part: str = "elbow",
    anatomy: Anatomy | None = None,
) -> Radiograph:
    """Render a radiograph of a finding, long side ``size`` pixels, bone bright on dark.

    The same generator state, view, finding, size, part and anatomy give the same pixels. Without an
    anatomy a new patient is sampled. The regions are of kind ``fracture``, ``treated_fracture``,
    ``healed_fracture``, ``dislocation`` and ``metal``. Raises `ValueError` for an unknown view,
    finding or part.
    """
    for value, known in ((view, VIEWS), (finding, FINDINGS), (part, PARTS)):
        if value not in known:
            raise ValueError(f"{value!r} is not one of {', '.join(known)}")
    if anatomy is None:
        anatomy = sample_anatomy(rng)
    field = rng.uniform(142, 200)  # mm along the long side
    bones = render_bones(anatomy, view, REACH[part], 0.85 * field / size)
    limb = pose_limb(bones, view, finding, part, anatomy, rng)
    frame = _sample_frame(limb.forearm, view, part, anatomy, field, size, rng)
    trauma = finding in INJURIES or finding == "contusion"
    swelling = rng.uniform(0, 4.5) if trauma else rng.uniform(0, 2.5)
    effusion = rng.random() < (0.8 if finding in INJURIES else 0.35 if trauma else 0.03)
    depth, skin = render_soft_tissue(frame, limb, view, anatomy, swelling, bool(effusion), rng)
    for piece in limb.pieces:
        depth += project(frame, piece.patch, piece.matrix)
    if finding == "treated_fracture_cast" or rng.random() < (0.12 if finding in INJURIES else 0.02):
        depth += render_cast(skin, frame.resolution, bool(rng.random() < 0.35), rng)
    depth += render_marker(frame, anatomy.left, rng)
    reference_depth = 2 * anatomy.muscle * MUSCLE + 0.56
    pixels = apply_display(expose(depth, reference_depth, frame, rng), frame, rng)
    return Radiograph(pixels, _regions(frame, limb, finding))


def _regions(frame: Frame, limb: Limb, finding: str) -> list[Region]:
    regions = []
    kind = "fracture" if limb.stage == "fresh" else f"{limb.stage}_fracture"
    for pieces in limb.breaks:
        regions += locate_break(frame, kind, pieces)
    if "dislocation" in finding:
        regions += locate_dislocation(frame, limb.forearm)
    for piece in limb.pieces:
        regions += locate_metal(frame, piece.patch, piece.matrix) if piece.metal else []
    return regions


def _sample_frame(
    forearm: np.ndarray,
    view: str,
    part: str,
    anatomy: Anatomy,
    field: float,
    size: int,
    rng: np.random.Generator,
) -> Frame:
    """Sample the position of the limb: the beam centred on the part, the detector rotated."""
    rotation = rng.normal(0, 6)
    centre = np.array([*CENTRES[part], 1.0])
    if part == "forearm":
        centre = forearm @ centre
    elif view == "lateral":
        centre = centre + np.array([11.0, -4.0, 0.0])
    if view == "lateral":
        rotation += rng.normal(0, 8) + rng.choice((0.0, 90.0, -90.0), p=(0.86, 0.07, 0.07))
    return sample_frame(
        size, field, (float(centre[0]), float(centre[1])), rotation, anatomy.left, rng
    )
