"""The report's augmentation: one random affine map, drawn and applied."""

from typing import Annotated

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from pydantic import Field, model_validator

from elbow_core.config import StrictModel

Probability = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=-180, le=180)]
Scale = Annotated[float, Field(gt=0, le=10)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Augmentation(StrictModel):
    """The ranges that an affine map is drawn from, uniformly; the defaults are the report's."""

    rotation: tuple[Degrees, Degrees] = (-60.0, 60.0)
    """Degrees, positive turning the picture anticlockwise."""
    flip: Probability = 0.75
    """Probability of a horizontal flip."""
    scale: tuple[Scale, Scale] = (0.85, 1.1)
    """Above 1 enlarges the picture."""
    translation: tuple[Fraction, Fraction] = (0.02, 0.12)
    """Distance along each axis as a fraction of the size; its sign is drawn evenly."""

    @model_validator(mode="after")
    def _check_ranges(self) -> "Augmentation":
        for name in ("rotation", "scale", "translation"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low} is above {high}; give the smaller first")
        return self


NO_AUGMENTATION = Augmentation(
    rotation=(0.0, 0.0), flip=0.0, scale=(1.0, 1.0), translation=(0.0, 0.0)
)
"""Every draw from it is the identity, exactly."""


def sample_affine(
    rng: np.random.Generator, size: int, augmentation: Augmentation
) -> Float64[np.ndarray, "2 3"]:
    """Draw the matrix that takes a pixel (x, y, 1) of the image to its place in the result.

    In this order: flip, scale and rotate about the centre, translate. ``size`` is the image's side
    in pixels. Seven numbers are drawn whatever the settings, so that a change of one range does not
    change the draws of the others.
    """
    rotation, flip, scale, right, down, sign_right, sign_down = rng.random(7)
    angle = np.deg2rad(_between(augmentation.rotation, rotation))
    factor = _between(augmentation.scale, scale)
    mirror = -1.0 if flip < augmentation.flip else 1.0
    shift = size * np.array(
        [
            _between(augmentation.translation, right) * (1.0 if sign_right < 0.5 else -1.0),
            _between(augmentation.translation, down) * (1.0 if sign_down < 0.5 else -1.0),
        ]
    )
    cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
    # y points down, so anticlockwise is a negative turn of these axes.
    linear = np.array([[cosine * mirror, sine], [-sine * mirror, cosine]])
    centre = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, centre + shift - linear @ centre])


def apply_affine(
    image: UInt8[np.ndarray, "height width"],
    matrix: Float64[np.ndarray, "2 3"],
    out: UInt8[np.ndarray, "height width"] | None = None,
) -> UInt8[np.ndarray, "height width"]:
    """Move every pixel by ``matrix``, in one interpolation; what comes from outside is 0.

    ``out``, where given, is written to and returned: part of a batch, say, and not the image.

    Reference: `cv2.warpAffine`, bilinear.
    """
    height, width = image.shape
    moved = cv2.warpAffine(
        image,
        matrix,
        (width, height),
        dst=out,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    if out is None:
        return moved
    if moved is not out:
        raise ValueError("out must be of the image's shape, with its rows one after another")
    return out


def _between(limits: tuple[float, float], position: float) -> float:
    low, high = limits
    return low + (high - low) * position
