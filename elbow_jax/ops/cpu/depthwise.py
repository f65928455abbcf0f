"""Depthwise convolutions and their gradients as shifted products and loops.

On a CPU XLA has only a plain loop nest for grouped convolutions. `pads` are the rows and columns of
zeros added to the image; shapes are NHWC, kernels `[k, k, 1, c]`.
"""

import itertools
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from elbow_jax.ops.cpu.calls import as_one_kernel, no_inline
from elbow_jax.ops.cpu.cores import available_cores
from elbow_jax.ops.padding import (
    NO_PADS,
    Pads,
    Shape,
    kernel_taps,
    output_size,
    pad,
    transposed_pads,
    unpad,
    unpadded_shape,
)

_MAX_LOOPS = 4  # each is compiled separately
_SUMS_IN_CACHE = 6144  # of the 8192 float32 numbers that a 32 KiB cache holds


def depthwise(padded: Array, kernel: Array, stride: int) -> Array:
    """A depthwise convolution of padded images as a sum of shifted products."""
    height, width = output_size(padded.shape, kernel.shape, stride, NO_PADS)
    return _sum_of_taps(padded, kernel, stride, height, width)


def depthwise_in_memory(padded: Array, kernel: Array, stride: int) -> Array:
    """`depthwise` computed once; XLA would otherwise repeat the sum in each consumer."""
    return no_inline(partial(depthwise, stride=stride), padded, kernel)


def depthwise_input_gradient(
    kernel: Array, cotangent: Array, stride: int, pads: Pads, shape: Shape
) -> Array:
    """The cotangent convolved with the flipped kernel, one phase of the stride at a time.

    Rows and columns of the padded input that are congruent modulo the stride are read by the same
    taps, so each phase is a convolution of stride 1 and no inserted zero is multiplied.
    """
    if stride == 1:
        outer = transposed_pads(kernel.shape, cotangent.shape, pads, shape)
        return depthwise_in_memory(pad(cotangent, outer), kernel[::-1, ::-1], 1)
    batch, _, _, channels = shape
    rows, columns = (-(-(shape[axis + 1] + sum(pads[axis])) // stride) for axis in (0, 1))
    phases = []
    for row, column in itertools.product(range(stride), repeat=2):
        taps = kernel[row::stride, column::stride][::-1, ::-1]
        place = (
            (0, 0, 0),
            (taps.shape[0] - 1, rows - cotangent.shape[1], 0),
            (taps.shape[1] - 1, columns - cotangent.shape[2], 0),
            (0, 0, 0),
        )
        padded = lax.pad(cotangent, jnp.zeros((), cotangent.dtype), place)
        sum_of_taps = partial(_sum_of_taps, stride=1, height=rows, width=columns)
        phases.append(no_inline(sum_of_taps, padded, taps))
    grid = jnp.stack(phases).reshape(stride, stride, batch, rows, columns, channels)
    grid = grid.transpose(2, 3, 0, 4, 1, 5)
    grid = grid.reshape(batch, rows * stride, columns * stride, channels)
    return unpad(grid, pads, shape)


def depthwise_kernel_gradient(
    padded: Array, cotangent: Array, stride: int, pads: Pads, kernel: Shape
) -> Array:
    """A loop over pixels that keeps the sums of all taps, for a block of channels, in the cache.

    Each row is summed before rows are added, which rounds less than one sum over all pixels. Each
    core has its own loop over its share of the rows. At stride 1 each input pixel multiplies a
    window of the cotangent, which is padded for the input gradient anyway; at other strides each
    pixel of the cotangent multiplies a window of the input.
    """
    if stride == 1:
        outer = transposed_pads(kernel, cotangent.shape, pads, unpadded_shape(padded.shape, pads))
        windows = pad(cotangent, outer)
        gradient = _sums_over_pixels(windows, padded, stride, pads, kernel)[::-1, ::-1]
    else:
        gradient = _sums_over_pixels(padded, cotangent, stride, NO_PADS, kernel)
    return gradient.astype(padded.dtype)


def _sums_over_pixels(
    windows: Array, pixels: Array, stride: int, pads: Pads, kernel: Shape
) -> Array:
    """Each pixel, padding excluded, times its window, summed: `[k, k, 1, c]`, float32."""
    windows, pixels = windows.astype(jnp.float32), pixels.astype(jnp.float32)
    batch, height, *_ = unpadded_shape(pixels.shape, pads)
    # On several devices a loop over single images would fetch each image from its device.
    images = 1 if jax.device_count() == 1 else batch
    rows = batch // images * height
    loops = min(available_cores(), _MAX_LOOPS, rows)
    ends = [rows * part // loops for part in range(loops + 1)]
    settings: dict[str, Any] = {
        "stride": stride,
        "pads": pads,
        "size": kernel[0],
        "images": images,
    }
    parts = [
        as_one_kernel(partial(_sums_over_rows, first=first, end=end, **settings), windows, pixels)
        for first, end in itertools.pairwise(ends)
    ]
    return reduce(jnp.add, parts).sum(0).reshape(kernel)


def _sums_over_rows(
    windows: Array,
    pixels: Array,
    first: int,
    end: int,
    stride: int,
    pads: Pads,
    size: int,
    images: int,
) -> Array:
    """The sums over rows `first` to `end`, `images` images at a time: `[images, k, k, c]`."""
    _, height, width, channels = unpadded_shape(pixels.shape, pads)
    (top, _), (left, _) = pads
    images_per_device = -(-images // jax.device_count())
    blocks = -(-channels * size * size * images_per_device // _SUMS_IN_CACHE)
    block = min(channels, 16 * -(-channels // (16 * blocks)))
    zeros = jnp.zeros((images, size, size, block), jnp.float32)

    def add_block(index: Array, gradient: Array) -> Array:
        start = jnp.minimum(index * block, channels - block)  # the last block may overlap another

        def add_row(number: Array, total: Array) -> Array:
            image, row = number // height * images, number % height

            def add_pixel(column: Array, total: Array) -> Array:
                corner = (image, row * stride, column * stride, start)
                window = lax.dynamic_slice(windows, corner, (images, size, size, block))
                place = (image, top + row, left + column, start)
                return total + window * lax.dynamic_slice(pixels, place, (images, 1, 1, block))

            return total + lax.fori_loop(0, width, add_pixel, zeros)

        sums = lax.fori_loop(first, end, add_row, zeros)
        return lax.dynamic_update_slice(gradient, sums, (0, 0, 0, start))

    start = jnp.zeros((images, size, size, channels), jnp.float32)
    return lax.fori_loop(0, -(-channels // block), add_block, start)


def _sum_of_taps(x: Array, kernel: Array, stride: int, height: int, width: int) -> Array:
    """Each tap times the pixels that it reads, summed in float32."""
    total = jnp.zeros((x.shape[0], height, width, x.shape[-1]), jnp.float32)
    for row, column in kernel_taps(kernel.shape):
        pixels = _pixels_of_tap(x, row, column, stride, height, width).astype(jnp.float32)
        total = total + pixels * kernel[row, column].reshape(1, 1, 1, -1).astype(jnp.float32)
    return total.astype(x.dtype)


def _pixels_of_tap(x: Array, row: int, column: int, stride: int, height: int, width: int) -> Array:
    """The `height` by `width` pixels that one tap reads, one in `stride`."""
    return x[
        :,
        row : row + (height - 1) * stride + 1 : stride,
        column : column + (width - 1) * stride + 1 : stride,
    ]
