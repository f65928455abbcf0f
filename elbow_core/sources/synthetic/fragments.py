"""Break a bone into fragments, with a fresh, treated or healed fracture line.

A treated fracture is almost reduced and its line is faint; a healed one has callus.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from elbow_core.sources.synthetic.bones import Patch, split_patch
from elbow_core.sources.synthetic.fractures import Fracture


@dataclass(frozen=True)
class Piece:
    """A map and its position: `matrix` maps its frame (mm) to the frame of the humerus."""

    patch: Patch
    matrix: Float[np.ndarray, "3 3"]
    metal: bool = False
    line: Patch | None = None
    """1 where the line of a fracture crosses this piece; its site, for a healed one."""


def break_bone(
    patch: Patch, fracture: Fracture, stage: str, rng: np.random.Generator
) -> list[Piece]:
    """Break a bone into pieces in its own frame.

    `stage` is "fresh" (dark line), "treated" (faint line) or "healed" (one piece, with callus).
    """
    rest, fragment = split_patch(patch, fracture.region, rng)
    inside = fragment.depth / np.maximum(patch.depth, 1e-3)
    if fracture.share < 1:
        undisplaced = fragment.depth * np.float32(1 - fracture.share)
        rest = rest.with_depth(rest.depth + undisplaced)
        fragment = fragment.with_depth(fragment.depth - undisplaced)
    if stage == "healed":
        depth, site = _healed(rest, fragment, inside, fracture.motion, rng)
        return [Piece(rest.with_depth(depth), np.eye(3), line=rest.with_depth(site))]
    lucency = rng.uniform(0.85, 1.0) if stage == "fresh" else rng.uniform(0.1, 0.35)
    width = (1.1 if stage == "fresh" else 0.7) / patch.resolution
    border = fracture_line(inside, width)
    line = 1 - np.float32(lucency) * border
    mark = patch.with_depth(_without_outline(border, patch.depth, width))
    return [
        Piece(rest.with_depth(rest.depth * line), np.eye(3), line=mark),
        Piece(fragment.with_depth(fragment.depth * line), fracture.motion, line=mark),
    ]


def fracture_line(inside: Float[np.ndarray, "h w"], sigma: float) -> Float[np.ndarray, "h w"]:
    """Return 1 on the border of the fragment, falling to 0 over a few `sigma` pixels."""
    soft = cv2.GaussianBlur(inside, (0, 0), sigma)
    return np.clip(4 * soft * (1 - soft), 0, 1)


def _without_outline(
    border: Float[np.ndarray, "h w"], depth: Float[np.ndarray, "h w"], width: float
) -> Float[np.ndarray, "h w"]:
    """Remove from the border of a fragment what is the outline of the bone, and no fracture."""
    reach = 2 * round(2.5 * width) + 1
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    within = cv2.erode((depth > 0).astype(np.uint8), ellipse)
    return border * within if (border * within).max() > 0.5 else border


def _healed(
    rest: Patch,
    fragment: Patch,
    inside: Float[np.ndarray, "h w"],
    motion: Float[np.ndarray, "3 3"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Join two fragments by callus: the gap filled, the outline thickened, the site dense.

    Returns the depth, and the site of the fracture without the outline of the bone.
    """
    step = rest.resolution
    to_mm = np.array([[step, 0, rest.origin[0]], [0, step, rest.origin[1]], [0, 0, 1]])
    warp = (np.linalg.inv(to_mm) @ motion @ to_mm)[:2]
    size = rest.depth.shape[::-1]
    depth = rest.depth + cv2.warpAffine(fragment.depth, warp, size)
    site = fracture_line(cv2.warpAffine(inside, warp, size), 4.5 / step)
    cloud = cv2.GaussianBlur(depth, (0, 0), 3.8 / step)
    reach = 2 * round(4.0 / step) + 1
    bridge = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    filled = np.maximum(0.9 * cv2.morphologyEx(depth, cv2.MORPH_CLOSE, bridge), 1.1 * cloud)
    depth = depth + site * np.maximum(filled - depth, 0)
    halo = cv2.GaussianBlur(depth, (0, 0), 1.8 / step)
    place = _without_outline(site, depth, 1.1 / step)
    return depth + np.float32(rng.uniform(0.35, 0.65)) * site * halo, place
