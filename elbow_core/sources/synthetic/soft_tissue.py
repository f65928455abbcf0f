"""Render soft tissue and casts around any limb: muscle, fat, skin, plaster."""

import cv2
import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import relative_half_chord
from elbow_core.sources.synthetic.rendering import Frame

MUSCLE = 0.0175  # optical depth per mm
FAT = 0.0115
PLASTER = 0.02


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
