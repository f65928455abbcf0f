"""Form the image: attenuation, scatter, noise, display curve, collimation, marker.

Monochromatic Beer-Lambert attenuation by the summed optical depth, scatter as a broad blur of the
primary, photon noise, then the logarithm and a display curve, as in a digital detector.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from elbow_core.sources.synthetic.bones import Patch, Point


@dataclass(frozen=True)
class Frame:
    """The geometry of an image: its size and the position of the humerus's frame (mm) in it."""

    height: int
    width: int
    resolution: float  # mm per pixel
    matrix: Float[np.ndarray, "3 3"]  # mm of the humerus's frame -> pixels


def sample_frame(
    size: int,
    field: float,
    centre: Point,
    rotation: float,
    mirrored: bool,
    rng: np.random.Generator,
) -> Frame:
    """Sample size and position; `field` (mm) is the long side, `centre` (mm) is near the middle."""
    narrow = max(48, round(size * rng.uniform(0.72, 1.0)))
    height, width = (size, narrow) if rng.random() < 0.8 else (narrow, size)
    resolution = field / size
    angle = np.deg2rad(rotation)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([-1.0 if mirrored else 1.0, 1.0]) / resolution
    offset = np.array([width, height]) * (0.5 + rng.uniform(-0.06, 0.06, 2))
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = offset - linear @ np.asarray(centre)
    return Frame(height, width, resolution, matrix)


def project(
    frame: Frame, patch: Patch, matrix: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "h w"]:
    """Warp the map of a bone into the image."""
    from_patch = np.array(
        [[patch.resolution, 0, patch.origin[0]], [0, patch.resolution, patch.origin[1]], [0, 0, 1]]
    )
    warp = (frame.matrix @ matrix @ from_patch)[:2]
    return cv2.warpAffine(patch.depth, warp, (frame.width, frame.height), flags=cv2.INTER_LINEAR)


def expose(
    depth: Float[np.ndarray, "h w"], reference_depth: float, frame: Frame, rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Return the detector's image of an optical depth: 0 is air, about 1 the densest bone.

    `reference_depth` is the depth of cortical bone in this limb without injury: the exposure is set
    for the patient, so that overlapping bones or metal do not darken the rest of the image.
    """
    energy = rng.uniform(0.85, 1.2)
    primary = np.exp(depth * -energy)
    small = cv2.resize(primary, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(1.0, 18 / frame.resolution / 8))
    scatter = cv2.resize(small, primary.shape[::-1], interpolation=cv2.INTER_LINEAR)
    signal = primary + rng.uniform(0.05, 0.16) * scatter
    signal = cv2.GaussianBlur(signal, (0, 0), rng.uniform(0.35, 0.75))
    photons = 10 ** rng.uniform(2.9, 4.2)
    signal += rng.standard_normal(signal.shape, np.float32) * np.sqrt(signal / photons)
    dark = -np.log(np.maximum(signal, 0.004))
    air = -np.log(1.12)
    return (dark - air) / (energy * reference_depth * rng.uniform(0.85, 1.15) - air)


def apply_display(
    exposure: Float[np.ndarray, "h w"], frame: Frame, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w"]:
    """Apply the display curve, with its shoulder, and the edges of the collimator."""
    gamma, air = rng.uniform(0.7, 1.5), rng.uniform(0, 0.1)
    input_level = np.arange(2048) / 1024
    curve = input_level**gamma / (1 + input_level ** (7 * gamma)) ** (1 / 7)
    curve = (air + (rng.uniform(0.8, 1.0) - air) * curve).astype(np.float32)
    level = curve[np.clip(exposure * 1024, 0, 2047).astype(np.int16)]
    if rng.random() < 0.6:
        shape = np.array([frame.width, frame.height])
        corners = (np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) - 0.5) * rng.uniform(0.84, 0.98, 2)
        angle = rng.normal(0, 0.05)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        corners = (corners * shape) @ rotation.T + shape / 2
        mask = np.zeros(level.shape, np.uint8)
        cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        blade = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.6, 1.6)).astype(np.float32) / 255
        level = level * blade + rng.uniform(0, 0.06) * (1 - blade)
    return np.round(255 * np.clip(level, 0, 1)).astype(np.uint8)


def render_marker(frame: Frame, left: bool, rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Render the optical depth of a lead letter, L or R, near a corner; often absent."""
    mask = np.zeros((frame.height, frame.width), np.uint8)
    if rng.random() < 0.65:
        size = max(frame.height, frame.width) / 360
        scale = rng.uniform(0.7, 1.2) * size
        x = round(rng.choice((rng.uniform(0.08, 0.16), rng.uniform(0.8, 0.88))) * frame.width)
        y = round(rng.choice((rng.uniform(0.14, 0.2), rng.uniform(0.84, 0.9))) * frame.height)
        letter, thick = "L" if left else "R", max(1, round(2.2 * scale))
        cv2.putText(mask, letter, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA)
        if rng.random() < 0.3:
            corner, opposite = (
                (round(x - 5 * size), round(y - 26 * scale)),
                (round(x + 25 * scale), round(y + 6 * scale)),
            )
            cv2.rectangle(mask, corner, opposite, 120, 1, cv2.LINE_AA)
    return mask.astype(np.float32) / 255 * 3.0
