"""Render a bone: from an outline in millimetres to a map of optical depth.

A long bone is a shell of cortical bone around marrow. A ray crosses most cortex near the edge of
the outline and least in the middle, so the edges are bright; `render_bone` computes this from the
distance to the outline. Maps are in the bone's own frame (y runs distally) and are split there into
fragments; one affine warp then projects a fragment into the image.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float

CORTICAL = 0.056  # optical depth per mm beyond that of the soft tissue the bone displaces
TRABECULAR = 0.019

Point = tuple[float | int, float | int]
"""A point, x and y in mm."""


@dataclass(frozen=True)
class Bone:
    """An outline (closed, mm) and, along y, half-depth (mm), cortex (mm) and marrow density."""

    outline: Float[np.ndarray, "n 2"]
    profile: Float[np.ndarray, "m 4"]  # rows of (y, half-depth, cortex, density of the marrow)


@dataclass(frozen=True)
class Patch:
    """A map of optical depth; `origin` is the position (mm) of its first pixel."""

    depth: Float[np.ndarray, "h w"]
    origin: tuple[float, float]
    resolution: float  # mm per pixel

    def grid(self) -> tuple[Float[np.ndarray, "1 w"], Float[np.ndarray, "h 1"]]:
        """Return the x and y (mm) of the pixels."""
        height, width = self.depth.shape
        x = self.origin[0] + self.resolution * np.arange(width, dtype=np.float32)
        y = self.origin[1] + self.resolution * np.arange(height, dtype=np.float32)
        return x[None, :], y[:, None]

    def with_depth(self, depth: Float[np.ndarray, "h w"]) -> "Patch":
        """Return a patch with another map at the same position."""
        return replace(self, depth=depth)


def smooth_curve(
    points: Float[np.ndarray, "n 2"], per_segment: int = 6, closed: bool = True
) -> Float[np.ndarray, "m 2"]:
    """Return a Catmull-Rom curve through the points (Catmull and Rom, 1974)."""
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    a, b, c, d = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    t = (np.arange(per_segment) / per_segment)[None, :, None]
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def rasterise_polygon(
    polygon: Float[np.ndarray, "n 2"],
    shape: tuple[int, int],
    origin: tuple[float, float],
    resolution: float,
) -> Float[np.ndarray, "h w"]:
    """Rasterise a polygon (mm) with soft edges; 1 inside, 0 outside."""
    mask = np.zeros(shape, np.uint8)
    pixels = (polygon - np.asarray(origin)) / resolution
    cv2.fillPoly(mask, [np.round(pixels * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def rasterise_curve(
    patch: Patch, curve: Float[np.ndarray, "n 2"], width: float, softness: float = 0.3
) -> Float[np.ndarray, "h w"]:
    """Rasterise an open curve (mm) of the given width (mm) on the patch's grid; peak about 1."""
    mask = np.zeros(patch.depth.shape, np.uint8)
    pixels = (curve - np.asarray(patch.origin)) / patch.resolution
    thickness = max(1, round(width / patch.resolution))
    points = [np.round(pixels * 16).astype(np.int32)]
    cv2.polylines(mask, points, False, 255, thickness, cv2.LINE_AA, 4)
    line = mask.astype(np.float32) / 255
    sigma = softness / patch.resolution
    return cv2.GaussianBlur(line, (0, 0), sigma) if sigma > 0.25 else line


def relative_half_chord(
    distance: Float[np.ndarray, "h w"], radius: Float[np.ndarray, "#h 1"]
) -> Float[np.ndarray, "h w"]:
    """Return half the chord of a circle at a distance (mm) inside its edge, over its radius."""
    inside = np.clip(distance, 0, radius)
    return np.sqrt(inside * (2 * radius - inside)) / radius


def render_bone(bone: Bone, resolution: float, rng: np.random.Generator) -> Patch:
    """Compute a bone's optical depth in its own frame, at `resolution` mm per pixel."""
    outline = smooth_curve(bone.outline)
    margin = 8.0
    low, high = outline.min(0) - margin, outline.max(0) + margin
    width, height = np.ceil((high - low) / resolution).astype(int)
    origin = (float(low[0]), float(low[1]))
    inside = rasterise_polygon(outline, (int(height), int(width)), origin, resolution)
    edge = cv2.distanceTransform((inside > 0.5).astype(np.uint8), cv2.DIST_L2, 5) * resolution
    y = low[1] + resolution * np.arange(height)
    radius, cortex, density = (
        np.interp(y, bone.profile[:, 0], column).astype(np.float32)[:, None]
        for column in bone.profile[:, 1:].T
    )
    outer = 2 * radius * relative_half_chord(edge, radius)
    inner = 2 * (radius - cortex) * relative_half_chord(edge - cortex, radius - cortex)
    marrow = (
        TRABECULAR
        * density
        * inner
        * trabecular_texture((int(height), int(width)), resolution, rng)
    )
    depth = CORTICAL * (outer - inner) + marrow
    depth = cv2.GaussianBlur(depth, (0, 0), 0.8) * (inside > 0)
    return Patch(depth.astype(np.float32), origin, resolution)


def trabecular_texture(
    shape: tuple[int, int], resolution: float, rng: np.random.Generator
) -> Float[np.ndarray, "h w"]:
    """Sample the texture of trabecular bone, mean 1, with streaks along the bone."""
    coarse = (shape[0] // 2 + 1, shape[1] // 2 + 1)
    noise = rng.standard_normal(coarse, np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.2 / resolution, sigmaY=0.6 / resolution)
    noise = cv2.resize(noise, (shape[1], shape[0]))
    return 1 + 0.09 * noise / (noise.std() + 1e-6)


def split_patch(
    patch: Patch, region: Float[np.ndarray, "n 2"], rng: np.random.Generator, roughness: float = 1.0
) -> tuple[Patch, Patch]:
    """Split a bone along a rough edge: the part outside the region (mm) and the part inside."""
    dense = []
    for start, end in zip(region, np.roll(region, -1, axis=0), strict=True):
        steps = max(2, int(np.hypot(*(end - start)) / 2.5))
        dense.append(start + (end - start) * np.linspace(0, 1, steps, endpoint=False)[:, None])
    edge = np.concatenate(dense)
    edge = edge + rng.normal(0, 0.45 * roughness, edge.shape)
    inside = rasterise_polygon(edge, patch.depth.shape, patch.origin, patch.resolution)
    return patch.with_depth(patch.depth * (1 - inside)), patch.with_depth(patch.depth * inside)
