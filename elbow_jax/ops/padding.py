"""Where the windows of a convolution lie: zeros around images, taps and sizes."""

import itertools
from collections.abc import Iterator

import jax.numpy as jnp
from jaxtyping import Array

Pads = tuple[tuple[int, int], tuple[int, int]]
Shape = tuple[int, ...]

NOTHING: Pads = ((0, 0), (0, 0))


def pad(x: Array, around: Pads) -> Array:
    """Put zeros around images."""
    return jnp.pad(x, ((0, 0), *around, (0, 0)))


def crop(x: Array, around: Pads, shape: Shape) -> Array:
    """Take the zeros, and what a stride never reached, off images: `shape` is left."""
    (top, _), (left, _) = around
    return x[:, top : top + shape[1], left : left + shape[2]]


def within(shape: Shape, around: Pads) -> Shape:
    """The shape of images without what is around them."""
    batch, *sides, channels = shape
    height, width = (side - sum(ends) for side, ends in zip(sides, around, strict=True))
    return batch, height, width, channels


def taps_of(kernel: Shape) -> Iterator[tuple[int, int]]:
    """Row and column of each tap, in the order in which a kernel is stored."""
    return itertools.product(range(kernel[0]), range(kernel[1]))


def output_sizes(shape: Shape, kernel: Shape, stride: int, around: Pads) -> tuple[int, int]:
    """Height and width of what a convolution returns."""
    height, width = (
        (shape[axis + 1] + sum(around[axis]) - kernel[axis]) // stride + 1 for axis in (0, 1)
    )
    return height, width


def zeros_beyond(kernel: Shape, cotangent: Shape, around: Pads, shape: Shape) -> Pads:
    """The zeros around a cotangent of stride 1 under the turned kernel."""
    rows, columns = (
        (kernel[axis] - 1 - before, shape[axis + 1] + before - cotangent[axis + 1])
        for axis, (before, _) in enumerate(around)
    )
    return rows, columns
