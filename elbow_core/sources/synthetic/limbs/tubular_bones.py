"""Bones of any limb: tubes with flared ends and small round ones, and the ways in which they break.

In the frame of a bone y runs along it, from 0 to its length, and x across (mm).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import Bone
from elbow_core.sources.synthetic.fractures import FAR, half_plane, rigid_motion

_ALONG = np.array([0.0, 0.03, 0.10, 0.22, 0.36, 0.50, 0.64, 0.78, 0.90, 0.97, 1.0])
_HAIRLINE_SHARE = 0.4  # of the fractures are hardly displaced
_INCOMPLETE_SHARE = 0.15  # of the fractures do not cross the bone
_CHIP_SHARE = 0.2  # of the fractures break off a corner of an end


@dataclass(frozen=True)
class Break:
    """A fracture: the region (mm) that breaks off, its motion, width (mm) and depth of the line.

    `position` is the middle of the line in the bone's frame.
    """

    region: Float[np.ndarray, "n 2"]
    motion: Float[np.ndarray, "3 3"]
    width: float
    lucency: float
    position: tuple[float, float]


def sample_tube(
    length: float, half_width: float, rng: np.random.Generator, flares: tuple[float, float]
) -> Bone:
    """Sample a long bone; `flares` are the widths of its ends over that of the shaft."""
    start, end = (max(1.0, flare * rng.uniform(0.9, 1.1)) for flare in flares)
    width = np.array([0.45 * start, 0.85 * start, start, (start + 1) / 2, 1.02, 1.0])
    width = np.concatenate([width, [1.02, (end + 1) / 2, end, 0.85 * end, 0.45 * end]])
    bend = half_width * rng.normal(0, 0.15) * np.sin(np.pi * _ALONG)
    sides = []
    for side in (1.0, -1.0):
        x = side * half_width * width * (1 + rng.normal(0, 0.03, len(_ALONG))) + bend
        sides.append(np.stack([x, length * _ALONG], axis=1))
    outline = np.concatenate([sides[0], sides[1][::-1]])
    thickness = rng.uniform(0.22, 0.36)
    shaft = np.clip(thickness * half_width, 0.6, 5.0)
    cortex = np.array([0.25, 0.3, 0.4, 0.7, 0.95, 1.0, 0.95, 0.7, 0.4, 0.3, 0.25]) * shaft
    density = np.array([1.3, 1.3, 1.2, 0.9, 0.6, 0.5, 0.6, 0.9, 1.2, 1.3, 1.3])
    density *= rng.uniform(0.7, 1.3)
    profile = np.stack([length * _ALONG, 0.9 * half_width * width + 0.5, cortex, density], axis=1)
    return Bone(outline, profile)


def sample_nodule(radius: float, rng: np.random.Generator) -> Bone:
    """Sample a small round bone, such as those of the wrist; its centre is the frame's origin."""
    angles = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    radii = radius * (1 + rng.normal(0, 0.1, len(angles)))
    outline = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    profile = [(y, radius + 0.5, 0.12 * radius + 0.3, 1.2) for y in (-radius, radius)]
    return Bone(outline, np.array(profile))


def sample_break(length: float, half_width: float, rng: np.random.Generator) -> Break:
    """Sample a fracture of a tube: across the shaft, into half of it, or of a corner of an end."""
    hairline = rng.random() < _HAIRLINE_SHARE
    width = float(rng.uniform(0.2, 0.6) if hairline else rng.uniform(0.4, 1.1))
    lucency = float(rng.uniform(0.45, 0.9) if hairline else rng.uniform(0.7, 1.0))
    severity = rng.uniform(0.0, 0.06) if hairline else rng.uniform(0.1, 0.9)
    kind, side = rng.random(), float(rng.choice((-1.0, 1.0)))
    if kind < _CHIP_SHARE:
        return _chip(length, half_width, severity, side, width, lucency, rng)
    y = float(length * rng.uniform(0.08, 0.92))
    slope = half_width * np.tan(np.deg2rad(rng.uniform(-55, 55)))
    reach = 2.0 * half_width
    middle = (float(rng.normal(0, 0.2) * half_width), y + float(rng.normal(0, 0.15) * half_width))
    points = [(-reach, y - 2 * slope), middle, (reach, y + 2 * slope)]
    gap = 0.15 + 0.1 * half_width * severity
    motion = rigid_motion(
        side * 0.9 * half_width * severity, gap, side * rng.uniform(0, 22) * severity, (0.0, y)
    )
    region = half_plane(points, FAR)
    if kind > 1 - _INCOMPLETE_SHARE:
        # The line ends within the bone; the fragment stays in place.
        edge = side * 0.15 * half_width
        region = np.array([(edge, y), (side * reach, y + side * 2 * slope), (side * reach, y + 3)])
        motion = rigid_motion()
    return Break(region, motion, width, lucency, middle)


def _chip(
    length: float,
    half_width: float,
    severity: float,
    side: float,
    width: float,
    lucency: float,
    rng: np.random.Generator,
) -> Break:
    """A corner of an end, pulled away by its ligament."""
    end, along = (length, -1.0) if rng.random() < 0.5 else (0.0, 1.0)
    beyond, depth = 8.0, half_width * rng.uniform(0.5, 1.5)
    middle = (side * 0.8 * half_width, end + along * depth)
    angle = np.deg2rad(rng.uniform(20, 60))
    direction = np.array([side * np.sin(angle), along * np.cos(angle)])
    inner = middle - direction * (depth + beyond) / np.cos(angle)
    outer = middle + direction * 2.2 * half_width / np.sin(angle)
    corner = (side * 3.0 * half_width, end - along * beyond)
    motion = rigid_motion(
        side * (0.2 + 0.5 * half_width * severity),
        -along * 0.3 * half_width * severity,
        side * rng.uniform(0, 30) * severity,
        middle,
    )
    return Break(np.array([inner, outer, corner]), motion, width, lucency, middle)
