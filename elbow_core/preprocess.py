"""The report's preprocessing: resize, equalise locally, sharpen."""

from typing import Annotated

import cv2
import numpy as np
from jaxtyping import UInt8
from pydantic import Field

from elbow_core.config import StrictModel


class Preprocessing(StrictModel):
    """How a radiograph becomes a square image; the defaults are the elbow set's."""

    size: Annotated[int, Field(ge=32, le=4096)] = 584
    """Pixels a side: 384 for pretraining, 584 for training, 896 MedGemma, 518 LLaVA-Rad."""
    clip_limit: Annotated[float, Field(gt=0)] = 2.5
    """CLAHE's limit on local contrast, in multiples of a flat histogram's count."""
    grid: Annotated[int, Field(ge=1, le=32)] = 4
    """CLAHE's tiles a side."""
    sigma: Annotated[float, Field(gt=0, le=100)] = 7.0
    """Of the unsharp mask's Gaussian, in pixels of the resized image: 7 elbow, 5 MURA."""
    amount: Annotated[float, Field(ge=0)] = 2.0
    """How much of (image - blurred) is added."""


def preprocess(
    image: UInt8[np.ndarray, "height width"],
    size: int,
    clip_limit: float = 2.5,
    grid: int = 4,
    sigma: float = 7.0,
    amount: float = 2.0,
) -> UInt8[np.ndarray, "size size"]:
    """Resize to a square, equalise contrast locally and sharpen.

    ``image`` is grey, 0 to 255. The aspect ratio is not kept. ``sigma`` is in pixels of the result.
    The blurred image is rounded to whole grey levels, and the result saturates at 0 and 255.

    Reference: Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV
    (1994), as `cv2.createCLAHE`; unsharp masking as ``image + amount * (image - gaussian)``.
    """
    resized = resize(image, size)
    equalised = cv2.createCLAHE(clip_limit, (grid, grid)).apply(resized)
    blurred = cv2.GaussianBlur(equalised, (0, 0), sigma)
    return cv2.addWeighted(equalised, 1.0 + amount, blurred, -amount, 0.0)


def resize(image: UInt8[np.ndarray, "height width"], size: int) -> UInt8[np.ndarray, "size size"]:
    """Resize to ``size`` pixels a side: area averages where it shrinks, linear where it grows.

    Each axis is treated by itself, since area averaging does not interpolate.
    """
    height, width = image.shape
    shrunk_to = (min(width, size), min(height, size))
    shrunk = cv2.resize(image, shrunk_to, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)
