"""The preprocessing of the paper: resize, CLAHE, unsharp mask."""

from typing import Annotated

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from pydantic import Field

from elbow_core.config import StrictModel


class Preprocessing(StrictModel):
    """Settings of the preprocessing; the defaults are those of the elbow set."""

    size: Annotated[int, Field(ge=32, le=4096)] = 584
    """Pixels per side: 384 for pretraining, 584 for training, 896 MedGemma, 518 LLaVA-Rad."""
    clip_limit: Annotated[float, Field(gt=0)] = 2.5
    """CLAHE's limit on local contrast, in multiples of a uniform histogram's count."""
    grid: Annotated[int, Field(ge=1, le=32)] = 4
    """CLAHE's tiles per side."""
    sigma: Annotated[float, Field(gt=0, le=100)] = 7.0
    """Sigma of the unsharp mask's Gaussian, in pixels of the resized image: 7 elbow, 5 MURA."""
    amount: Annotated[float, Field(ge=0)] = 2.0
    """Weight of (image - blurred) in the unsharp mask."""


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
    blurred = blur(equalised, sigma)
    return cv2.addWeighted(equalised, 1.0 + amount, blurred, -amount, 0.0)


def resize(image: UInt8[np.ndarray, "height width"], size: int) -> UInt8[np.ndarray, "size size"]:
    """Resize to ``size`` pixels per side: area averaging to shrink, bilinear to enlarge.

    Each axis is treated separately, since area averaging does not interpolate.
    """
    height, width = image.shape
    shrunk_size = (min(width, size), min(height, size))
    shrunk = cv2.resize(image, shrunk_size, interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR)


def blur(
    image: UInt8[np.ndarray, "height width"], sigma: float
) -> UInt8[np.ndarray, "height width"]:
    """Blur like `cv2.GaussianBlur` for 8 bits, bit-identical and in a third of its time.

    OpenCV's weights are multiples of 1/256, and it rounds once, at the end. The sums stay below
    2**24, so they are exact in float32 in any order, and the float filter is faster.
    """
    weights = _gaussian_weights(sigma)
    sums = cv2.sepFilter2D(image, cv2.CV_32F, weights, weights, delta=2.0**15)
    np.multiply(sums, 2.0**-16, out=sums)
    return sums.astype(np.uint8)  # Truncated, after `delta` has added one half.


def _gaussian_weights(sigma: float) -> Float32[np.ndarray, " taps"]:
    """Return OpenCV's weights in 256ths, rounded with error diffusion."""
    taps = round(6 * sigma + 1) | 1
    exact = 256 * cv2.getGaussianKernel(taps, sigma, cv2.CV_64F).ravel()
    weights = np.zeros(taps, np.float32)
    error = 0.0
    for tap in range(taps // 2):
        target = exact[tap] + error
        weights[tap] = weights[-1 - tap] = np.rint(target)
        error = target - weights[tap]
    weights[taps // 2] = 256 - weights.sum()
    return weights
