"""Render the soft tissue of an elbow: muscle, fat, skin, fat pads and swelling."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import Point
from elbow_core.sources.synthetic.elbow.anatomy import Anatomy
from elbow_core.sources.synthetic.elbow.pose import Limb
from elbow_core.sources.synthetic.rendering import Frame
from elbow_core.sources.synthetic.soft_tissue import skin_distance, tissue_depth

# fmt: off
# Lucent fat beside the distal humerus in the lateral view (mm in its frame). An effusion lifts the
# anterior pad into a sail and makes the posterior one, hidden in its fossa, visible.
FAT_PADS = {
    "flat": [(3.5, -40), (6.0, -28), (6.5, -18), (4.5, -13), (3.5, -22)],
    "sail": [(3.5, -44), (9.0, -34), (15.5, -21), (13.5, -14), (7.0, -13), (3.8, -24)],
    "posterior": [(-16.5, -40), (-21, -31), (-22.5, -22), (-18.0, -14), (-13, -13), (-14.5, -26)],
}
# fmt: on


def render_soft_tissue(
    frame: Frame,
    limb: Limb,
    view: str,
    anatomy: Anatomy,
    swelling: float,
    effusion: bool,
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return the optical depth of soft tissue, and the distance to the skin (mm, inside > 0)."""
    thick, elbow = anatomy.muscle, 40 if view == "ap" else 32
    upper_x, lower_x = (0.0, -2.0) if view == "ap" else (-6.0, -9.0)
    upper = [(upper_x, -240, thick + 7), (upper_x, -90, thick + 2), (upper_x, -35, thick - 3)]
    lower = [(lower_x, 30, thick - 1), (lower_x, 60, thick - 2), (lower_x, 130, thick - 11)]
    skin = skin_distance(
        frame,
        [
            _place_limb([*upper, (0, 0, elbow)], limb.upper_arm, swelling),
            _place_limb(
                [(0, 0, elbow), *lower, (lower_x, 240, thick - 16)], limb.forearm, swelling
            ),
        ],
    )
    depth = tissue_depth(skin, thick, anatomy.fat, rng)
    if view == "lateral":
        for name in ("sail", "posterior") if effusion else ("flat",):
            strength = rng.uniform(0.14, 0.24) if effusion else rng.uniform(0.03, 0.12)
            depth -= strength * _fat_pad(frame, FAT_PADS[name], rng)
    return depth, skin


def _place_limb(
    rows: Sequence[Sequence[float | int]], matrix: Float[np.ndarray, "3 3"], swelling: float
) -> Float[np.ndarray, "n 3"]:
    limb = np.array(rows, dtype=np.float64)
    placed = np.concatenate([limb[:, :2], np.ones((len(limb), 1))], axis=1) @ matrix.T
    nearness = np.exp(-((limb[:, 1] / 60) ** 2))
    return np.concatenate([placed[:, :2], (limb[:, 2] + swelling * nearness)[:, None]], axis=1)


def _fat_pad(
    frame: Frame, points: Sequence[Point], rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    outline = np.array(points, dtype=np.float64) + rng.normal(0, 0.5, (len(points), 2))
    pixels = outline @ frame.matrix[:2, :2].T + frame.matrix[:2, 2]
    mask = np.zeros((frame.height, frame.width), np.uint8)
    cv2.fillPoly(mask, [np.round(pixels * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), 1.1 / frame.resolution).astype(np.float32) / 255
