"""Padding of convolutions: rows and columns of zeros, shapes, and the taps of a kernel."""

import itertools
from collections.abc import Iterator
from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array

Padding = Literal["same", "symmetric", "valid"]
Pads = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)
Shape = tuple[int, ...]

NO_PADS: Pads = ((0, 0), (0, 0))


def resolve_pads(height: int, width: int, kernel: int, stride: int, padding: Padding) -> Pads:
    """Rows and columns of zeros that a convolution adds to an image.

    `same` is TensorFlow's: ceil(n / stride) outputs, the odd row at the bottom or right.
    `symmetric` is torch's: kernel // 2 on every side. `valid` adds none.
    """
    if padding == "valid":
        return NO_PADS
    if padding == "symmetric":
        return ((kernel // 2, kernel // 2), (kernel // 2, kernel // 2))
    rows, columns = (
        max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (height, width)
    )
    return ((rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))


def pad(x: Array, pads: Pads) -> Array:
    """Add zeros around each image."""
    return jnp.pad(x, ((0, 0), *pads, (0, 0)))


def unpad(x: Array, pads: Pads, shape: Shape) -> Array:
    """Remove the padding, and rows or columns that no stride reached; `shape` is the result's."""
    (top, _), (left, _) = pads
    return x[:, top : top + shape[1], left : left + shape[2]]


def unpadded_shape(shape: Shape, pads: Pads) -> Shape:
    """Image shape without padding."""
    batch, *sides, channels = shape
    height, width = (side - sum(ends) for side, ends in zip(sides, pads, strict=True))
    return batch, height, width, channels


def kernel_taps(kernel: Shape) -> Iterator[tuple[int, int]]:
    """Row and column of each tap, row by row."""
    return itertools.product(range(kernel[0]), range(kernel[1]))


def output_size(shape: Shape, kernel: Shape, stride: int, pads: Pads) -> tuple[int, int]:
    """Height and width of a convolution's output."""
    height, width = (
        (shape[axis + 1] + sum(pads[axis]) - kernel[axis]) // stride + 1 for axis in (0, 1)
    )
    return height, width


def transposed_pads(kernel: Shape, cotangent: Shape, pads: Pads, shape: Shape) -> Pads:
    """Padding of the cotangent in the input gradient of a convolution of stride 1."""
    rows, columns = (
        (kernel[axis] - 1 - before, shape[axis + 1] + before - cotangent[axis + 1])
        for axis, (before, _) in enumerate(pads)
    )
    return rows, columns
