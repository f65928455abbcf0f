"""The augmentation of the paper: sample and apply a random affine map."""

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
    """The ranges of a uniformly sampled affine map; the defaults are those of the paper."""

    rotation: tuple[Degrees, Degrees] = (-60.0, 60.0)
    """Degrees; positive rotates the image anticlockwise."""
    flip: Probability = 0.75
    """Probability of a horizontal flip."""
    scale: tuple[Scale, Scale] = (0.85, 1.1)
    """Above 1 enlarges the image."""
    translation: tuple[Fraction, Fraction] = (0.02, 0.12)
    """Distance along each axis as a fraction of the size; either sign is equally likely."""

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
"""Every map sampled from it is exactly the identity."""


def sample_affine(
    rng: np.random.Generator, size: int, augmentation: Augmentation
) -> Float64[np.ndarray, "2 3"]:
    """Sample the matrix that maps a pixel (x, y, 1) of the image to its position in the result.

    In this order: flip, scale and rotate about the centre, translate. ``size`` is the image's side
    in pixels. Seven numbers are sampled whatever the settings, so that a change of one range does
    not change the samples of the others.
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
    # y points down, so an anticlockwise rotation is negative in these axes.
    linear = np.array([[cosine * mirror, sine], [-sine * mirror, cosine]])
    centre = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, centre + shift - linear @ centre])


def apply_affine(
    image: UInt8[np.ndarray, "height width"],
    matrix: Float64[np.ndarray, "2 3"],
    out: UInt8[np.ndarray, "height width"] | None = None,
) -> UInt8[np.ndarray, "height width"]:
    """Warp an image by ``matrix``, with one interpolation; pixels from outside are 0.

    The result is written to ``out`` if given, for example part of a batch; not the image itself.

    Reference: `cv2.warpAffine`, bilinear.
    """
    height, width = image.shape
    warped = cv2.warpAffine(
        image,
        matrix,
        (width, height),
        dst=out,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    if out is None:
        return warped
    if warped is not out:
        raise ValueError("out must have the image's shape and be contiguous")
    return out


def _between(limits: tuple[float, float], position: float) -> float:
    low, high = limits
    return low + (high - low) * position
