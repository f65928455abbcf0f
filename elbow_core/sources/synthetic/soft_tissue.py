"""Render soft tissue: muscle, fat, skin, fat pads and swelling, and casts."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.anatomy import Anatomy
from elbow_core.sources.synthetic.bones import Point, relative_half_chord
from elbow_core.sources.synthetic.pose import Limb
from elbow_core.sources.synthetic.rendering import Frame

MUSCLE = 0.0175  # optical depth per mm
FAT = 0.0115
PLASTER = 0.02

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


def skin_distance(frame: Frame, limbs: list[Float[np.ndarray, "_ 3"]]) -> Float[np.ndarray, "h w"]:
    """Return the distance (mm) to the skin, inside > 0; limbs are rows of (x, y, radius), mm."""
    scale, margin = 0.5, 40
    mask = np.zeros((frame.height // 2 + 2 * margin, frame.width // 2 + 2 * margin), np.uint8)
    for limb in limbs:
        centres = (limb[:, :2] @ frame.matrix[:2, :2].T + frame.matrix[:2, 2]) * scale + margin
        rows = np.concatenate([centres, limb[:, 2:] * (scale / frame.resolution)], axis=1)
        steps, index = np.linspace(0, len(limb) - 1, 28), np.arange(len(limb))
        circles = np.stack([np.interp(steps, index, column) for column in rows.T], axis=1)
        for x, y, radius in np.round(circles * 16).astype(int).tolist():
            cv2.circle(mask, (x, y), radius, 255, -1, cv2.LINE_8, 4)
    smooth = cv2.GaussianBlur(mask, (0, 0), 7.0 * scale / frame.resolution)
    inside = (smooth > 127).astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    distance -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    distance = cv2.GaussianBlur(distance, (0, 0), 1.0)[margin:-margin, margin:-margin]
    distance = np.ascontiguousarray(distance) * np.float32(frame.resolution / scale)
    return cv2.resize(distance, (frame.width, frame.height), interpolation=cv2.INTER_LINEAR)


def tissue_depth(
    skin: Float[np.ndarray, "h w"], muscle: float, fat: float, rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Return the optical depth of muscle, fat and skin from the distance to the skin (mm)."""
    radius = np.full((1, 1), muscle, np.float32)
    depth = FAT * 2 * muscle * relative_half_chord(skin, radius)
    depth += (
        (MUSCLE - FAT)
        * 2
        * (muscle - fat)
        * relative_half_chord(skin - np.float32(fat), radius - fat)
    )
    bundles = rng.standard_normal((14, 14), np.float32)
    bundles = cv2.resize(bundles, skin.shape[::-1], interpolation=cv2.INTER_CUBIC)
    depth *= 1 + 0.03 * bundles
    for plane in rng.uniform(fat + 6, fat + 20, 1):  # planes of fat between the muscles
        depth -= 0.04 * np.exp(-(((skin - np.float32(plane) - 2 * bundles) / 1.7) ** 2))
    return depth + np.float32(0.05) * np.exp(-(((skin - 0.8) / 0.8) ** 2))


def render_cast(
    skin: Float[np.ndarray, "h w"], resolution: float, splint: bool, rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Render the optical depth of plaster around the skin; a splint covers one side only."""
    thickness, padding = np.float32(rng.uniform(4, 7)), np.float32(rng.uniform(1.5, 5))
    outside = -skin - padding
    wall = np.exp(-np.square(np.square((outside - thickness / 2) / (thickness / 2))))
    face = 1 / (1 + np.exp(np.clip(outside / np.float32(0.8), -30, 30)))
    weave = rng.standard_normal((skin.shape[0] // 2 + 1, skin.shape[1] // 2 + 1), np.float32)
    weave = cv2.GaussianBlur(weave, (0, 0), max(0.5, 0.7 / resolution))
    weave = cv2.resize(weave, skin.shape[::-1]) / (weave.std() + 1e-6)
    # A ray tangential to the cast crosses far more plaster than one through the middle of the limb.
    depth = np.float32(PLASTER) * thickness * (5.5 * wall + 2.0 * face) * (1 + 0.12 * weave)
    if splint:
        angle = rng.uniform(0, 2 * np.pi)
        x = np.linspace(-1, 1, skin.shape[1], dtype=np.float32)[None, :] * np.float32(np.cos(angle))
        y = np.linspace(-1, 1, skin.shape[0], dtype=np.float32)[:, None] * np.float32(np.sin(angle))
        depth = depth / (1 + np.exp(-(x + y) * 12))
    return np.maximum(depth, 0).astype(np.float32)
