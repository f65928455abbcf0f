"""Radiographs of hands and legs from tubular bones, intact or with one fracture.

Simpler than the elbow (`anatomy`, `pose`): the bones are alike in kind, their number, size, place
and projection vary widely, and most breaks are thin. For networks that learn what a fracture is,
whatever the bone.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from elbow_core.dataset import Region
from elbow_core.sources.synthetic.bones import Patch, rasterise_curve, render_bone, split_patch
from elbow_core.sources.synthetic.fractures import rigid_motion
from elbow_core.sources.synthetic.fragments import Piece, fracture_line
from elbow_core.sources.synthetic.limbs.tubular_bones import (
    Break,
    sample_break,
    sample_nodule,
    sample_tube,
)
from elbow_core.sources.synthetic.locations import Radiograph, locate_break, locate_metal
from elbow_core.sources.synthetic.rendering import (
    Frame,
    apply_display,
    expose,
    project,
    render_marker,
    sample_frame,
)
from elbow_core.sources.synthetic.soft_tissue import MUSCLE, skin_distance, tissue_depth

PARTS = ("hand", "leg")

_METAL_SHARE = 0.06  # of the images of either class show a plate
_CANAL_SHARE = 0.3  # of the images of either class show the canal of a vessel, a faint line
_METAL = 1.3  # optical depth


@dataclass(frozen=True)
class _Segment:
    """A long bone of a limb: its size (mm), and `matrix` from its frame to the limb's."""

    length: float
    half_width: float
    flares: tuple[float, float]
    matrix: Float[np.ndarray, "3 3"]


@dataclass(frozen=True)
class _Limb:
    """Long bones, small round ones (x, y, radius), and the soft tissue (x, y, radius), in mm."""

    segments: list[_Segment]
    nodules: list[tuple[float, float, float]]
    tissue: list[Float[np.ndarray, "_ 3"]]
    thickness: float
    centre: tuple[float, float]
    field: float


def render_limb(rng: np.random.Generator, part: str, broken: bool, size: int = 320) -> Radiograph:
    """Render a radiograph of a hand or a leg, long side ``size`` pixels, bone bright on dark.

    The same generator state and arguments give the same pixels. The regions are of kind
    ``fracture`` and ``metal``. Raises `ValueError` for an unknown part.
    """
    if part not in PARTS:
        raise ValueError(f"{part!r} is not one of {', '.join(PARTS)}")
    limb = _sample_hand(rng) if part == "hand" else _sample_leg(rng)
    resolution = 0.85 * limb.field / size
    left = bool(rng.random() < 0.5)
    frame = sample_frame(size, limb.field, limb.centre, rng.uniform(-180, 180), left, rng)
    place = _place_of_break(limb, frame, rng) if broken else None
    regions: list[Region] = []
    skin = skin_distance(frame, limb.tissue)
    depth = tissue_depth(skin, limb.thickness, float(rng.uniform(1.5, 5)), rng)
    for number, segment in enumerate(limb.segments):
        bone = sample_tube(segment.length, segment.half_width, rng, segment.flares)
        patch = render_bone(bone, resolution, rng)
        pieces = [Piece(patch, segment.matrix)]
        if place is not None and place[0] == number:
            pieces = break_tube(patch, place[1], segment.matrix, rng)
            regions += locate_break(frame, "fracture", pieces)
        for piece in pieces:
            depth += project(frame, piece.patch, piece.matrix)
    for x, y, radius in limb.nodules:
        patch = render_bone(sample_nodule(radius, rng), resolution, rng)
        depth += project(frame, patch, rigid_motion(x, y, rng.uniform(0, 360)))
    distractors, plates = _distractors(frame, limb, resolution, rng)
    depth += distractors
    depth += render_marker(frame, left, rng)
    reference_depth = 2 * limb.thickness * MUSCLE + rng.uniform(0.25, 0.6)
    pixels = apply_display(expose(depth, reference_depth, frame, rng), frame, rng)
    return Radiograph(pixels, regions + plates)


def _sample_hand(rng: np.random.Generator) -> _Limb:
    """Rays of four bones from a wrist, as of a hand or a foot, seen from the front or obliquely."""
    scale, foot = rng.uniform(0.75, 1.2), rng.random() < 0.35
    oblique = rng.uniform(0.35, 1.0) if rng.random() < 0.5 else 1.0
    spread = rng.uniform(5, 14) * oblique
    segments: list[_Segment] = []
    tissue = []
    for ray in range(int(rng.integers(3, 6))):
        lengths = np.array([66.0, 40, 24, 16]) * (1.1, 1.0, 1.0, 0.9, 0.8)[ray]
        lengths *= np.array([1.05, 0.6, 0.4, 0.5]) if foot else 1.0
        widths = np.array([4.6, 4.6, 3.8, 3.0]) * rng.uniform(0.85, 1.15)
        x, y = (ray - 2) * 11.0 * scale * oblique, 14.0 * scale
        angle = (ray - 2) * spread + rng.normal(0, 3)
        row = [(x, 0.0, 14 * scale)]
        for length, width in zip(lengths * scale, widths * scale, strict=True):
            angle += rng.normal(0, 5)
            matrix = rigid_motion(x, y) @ rigid_motion(degrees=-angle)
            segments.append(_Segment(length, width, (1.5, 1.35), matrix))
            direction = np.array([np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
            x, y = np.array([x, y]) + direction * (length + 1.2 * scale)
            row.append((float(x), float(y), 1.9 * width))
        tissue.append(np.array(row))
    nodules = [
        (
            float((column - 1.5) * 13 * scale * oblique + rng.normal(0, 1.5)),
            float((2 - 13 * line) * scale + rng.normal(0, 1.5)),
            float(rng.uniform(5.5, 8) * scale),
        )
        for line in range(2)
        for column in range(4)
    ]
    for x, width in ((-10.0, 7.5), (13.0, 5.0)):
        matrix = rigid_motion(x * scale * oblique, -24 * scale) @ rigid_motion(degrees=180.0)
        segments.append(_Segment(180 * scale, width * scale, (1.7, 1.0), matrix))
    tissue.append(np.array([(0, 8, 27), (0, -24, 23), (0, -90, 27), (0, -200, 32)]) * scale)
    centre = (rng.normal(0, 12), rng.uniform(-20, 95) * scale)
    field = rng.uniform(95, 230) * scale
    return _Limb(segments, nodules, tissue, 15 * scale, centre, field)


def _sample_leg(rng: np.random.Generator) -> _Limb:
    """One long bone or two side by side, meeting another one at a joint."""
    scale, pair = rng.uniform(0.7, 1.1), rng.random() < 0.65
    length, width = 340.0 * scale, rng.uniform(10, 15) * scale
    gap = rng.uniform(-8, 22) * scale
    segments = [_Segment(length, width, (2.3, 1.7), rigid_motion())]
    if pair:
        shift = rigid_motion(width + gap, rng.uniform(5, 20) * scale, rng.normal(0, 2))
        segments.append(_Segment(length, width * rng.uniform(0.35, 0.5), (1.9, 1.9), shift))
    bend = rigid_motion(rng.normal(0, 4), -4 * scale, 180.0 + rng.normal(0, 15))
    segments.append(_Segment(length, width * rng.uniform(0.95, 1.2), (2.5, 2.0), bend))
    radius = rng.uniform(36, 62) * scale
    tissue = [
        np.array([(5, -250, radius + 10), (5, 0, radius), (5, 200, radius), (5, 400, radius - 14)])
    ]
    field = rng.uniform(150, 300) * scale
    centre = (rng.normal(5, 10), rng.uniform(-40, 330) * scale)
    return _Limb(segments, [], tissue, radius, centre, field)


def _place_of_break(limb: _Limb, frame: Frame, rng: np.random.Generator) -> tuple[int, Break]:
    """Return a bone and its fracture, whose middle lies within the image."""
    for _ in range(200):
        number = int(rng.integers(len(limb.segments)))
        segment = limb.segments[number]
        fracture = sample_break(segment.length, segment.half_width, rng)
        x, y, _ = frame.matrix @ segment.matrix @ np.array([*fracture.position, 1.0])
        if 0.1 < x / frame.width < 0.9 and 0.1 < y / frame.height < 0.9:
            return number, fracture
    raise RuntimeError("no bone lies within the image")


def break_tube(
    patch: Patch, fracture: Break, matrix: Float[np.ndarray, "3 3"], rng: np.random.Generator
) -> list[Piece]:
    """Break a bone in its own frame into the rest and the fragment, with a dark line between them.

    `matrix` maps the bone's frame to that of the limb.
    """
    everywhere = patch.with_depth(np.ones_like(patch.depth))
    inside = split_patch(everywhere, fracture.region, rng, roughness=0.6)[1].depth
    line = fracture_line(inside, fracture.width / patch.resolution)
    depth = patch.depth * (1 - np.float32(fracture.lucency) * line)
    mark = patch.with_depth(line * (patch.depth > 0))
    return [
        Piece(patch.with_depth(depth * (1 - inside)), matrix, line=mark),
        Piece(patch.with_depth(depth * inside), matrix @ fracture.motion, line=mark),
    ]


def _distractors(
    frame: Frame, limb: _Limb, resolution: float, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "h w"], list[Region]]:
    """Plates and canals of vessels, and where the plates are: neither tells of a broken bone."""
    depth = np.zeros((frame.height, frame.width), np.float32)
    regions: list[Region] = []
    segment = limb.segments[int(rng.integers(len(limb.segments)))]
    empty = np.zeros(
        (int(segment.length / resolution) + 1, int(6 * segment.half_width / resolution) + 1),
        np.float32,
    )
    patch = Patch(empty, (-3 * segment.half_width, 0.0), resolution)
    start = segment.length * rng.uniform(0.1, 0.6)
    if rng.random() < _METAL_SHARE:
        end = start + segment.length * rng.uniform(0.2, 0.35)
        path = np.array([(0.8 * segment.half_width, start), (0.8 * segment.half_width, end)])
        metal = _METAL * rasterise_curve(patch, path, 0.6 * segment.half_width, 0.15)
        plate = patch.with_depth(metal)
        depth += project(frame, plate, segment.matrix)
        regions += locate_metal(frame, plate, segment.matrix)
    if rng.random() < _CANAL_SHARE:
        shift = segment.half_width * rng.uniform(0.3, 0.9)
        path = np.array([(-shift, start), (0.2 * shift, start + rng.uniform(2, 5) * shift)])
        canal = -rng.uniform(0.02, 0.06) * rasterise_curve(patch, path, 0.8, 0.3)
        depth += project(frame, patch.with_depth(canal.astype(np.float32)), segment.matrix)
    return depth, regions
