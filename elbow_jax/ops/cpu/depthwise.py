"""Depthwise convolutions and their gradients in the forms that XLA runs well on a CPU.

Shifted products and loops, in place of grouped convolutions, for which a CPU has only a plain loop
nest. `around` is the rows and columns of zeros put around the image; shapes are NHWC, kernels
`[k, k, 1, c]`.
"""

import itertools
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from elbow_jax.ops.cpu.calls import apart, as_one_kernel
from elbow_jax.ops.cpu.cores import available_cores
from elbow_jax.ops.padding import (
    NOTHING,
    Pads,
    Shape,
    crop,
    output_sizes,
    pad,
    taps_of,
    within,
    zeros_beyond,
)

_MOST_LOOPS = 4  # each is compiled by itself
_SUMS_IN_CACHE = 6144  # of the 8192 numbers that 32 KiB hold


def depthwise(padded: Array, kernel: Array, stride: int) -> Array:
    """A depthwise convolution as a sum of shifted products.

    Here and in the kernel's gradient an image has its zeros around it.
    """
    height, width = output_sizes(padded.shape, kernel.shape, stride, NOTHING)
    return _sum_of_taps(padded, kernel, stride, height, width)


def depthwise_once(padded: Array, kernel: Array, stride: int) -> Array:
    """`depthwise`, computed to memory: XLA would compute the sum again for each of its readers."""
    return apart(partial(depthwise, stride=stride), padded, kernel)


def depthwise_input_gradient(
    kernel: Array, cotangent: Array, stride: int, around: Pads, shape: Shape
) -> Array:
    """The cotangent under the turned kernel, one phase of the stride at a time.

    Rows and columns of the padded input that are congruent modulo the stride meet the same taps,
    so each phase is a convolution of stride 1 and no product with an inserted zero is formed.
    """
    if stride == 1:
        taps, beyond = (
            kernel[::-1, ::-1],
            zeros_beyond(kernel.shape, cotangent.shape, around, shape),
        )
        return depthwise_once(pad(cotangent, beyond), taps, 1)
    batch, _, _, channels = shape
    rows, columns = (-(-(shape[axis + 1] + sum(around[axis])) // stride) for axis in (0, 1))
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
        phases.append(apart(sum_of_taps, padded, taps))
    grid = jnp.stack(phases).reshape(stride, stride, batch, rows, columns, channels)
    grid = grid.transpose(2, 3, 0, 4, 1, 5)
    grid = grid.reshape(batch, rows * stride, columns * stride, channels)
    return crop(grid, around, shape)


def depthwise_kernel_gradient(
    padded: Array, cotangent: Array, stride: int, around: Pads, kernel: Shape
) -> Array:
    """A loop over pixels, in which all taps' sums, of a block of channels, stay in the cache.

    Sums of rows are summed, which loses less in rounding than one sum over all pixels. Each core
    has a loop of its own, over its share of the rows. At a stride of 1 each pixel of the input
    meets a window of the cotangent, which is padded for the input's gradient in any case; at others
    each pixel of the cotangent meets a window of the input.
    """
    if stride == 1:
        beyond = zeros_beyond(kernel, cotangent.shape, around, within(padded.shape, around))
        windows = pad(cotangent, beyond)
        gradient = _sums_over_pixels(windows, padded, stride, around, kernel)[::-1, ::-1]
    else:
        gradient = _sums_over_pixels(padded, cotangent, stride, NOTHING, kernel)
    return gradient.astype(padded.dtype)


def _sums_over_pixels(
    windows: Array, pixels: Array, stride: int, around: Pads, kernel: Shape
) -> Array:
    """Each pixel within what is around times the window that it meets: `[k, k, 1, c]`, float32."""
    windows, pixels = windows.astype(jnp.float32), pixels.astype(jnp.float32)
    batch, height, *_ = within(pixels.shape, around)
    # A loop over images that lie on several devices would fetch each image in its turn.
    together = 1 if jax.device_count() == 1 else batch
    rows = batch // together * height
    loops = min(available_cores(), _MOST_LOOPS, rows)
    ends = [rows * part // loops for part in range(loops + 1)]
    settings: dict[str, Any] = {
        "stride": stride,
        "around": around,
        "size": kernel[0],
        "together": together,
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
    around: Pads,
    size: int,
    together: int,
) -> Array:
    """The sums over some of the rows, `together` images at a time: `[n, k, k, c]`."""
    _, height, width, channels = within(pixels.shape, around)
    (top, _), (left, _) = around
    images = -(-together // jax.device_count())
    blocks = -(-channels * size * size * images // _SUMS_IN_CACHE)
    block = min(channels, 16 * -(-channels // (16 * blocks)))
    none = jnp.zeros((together, size, size, block), jnp.float32)

    def add_block(index: Array, gradient: Array) -> Array:
        start = jnp.minimum(index * block, channels - block)  # the last may overlap another

        def add_row(number: Array, total: Array) -> Array:
            image, row = number // height * together, number % height

            def add_pixel(column: Array, total: Array) -> Array:
                corner = (image, row * stride, column * stride, start)
                window = lax.dynamic_slice(windows, corner, (together, size, size, block))
                place = (image, top + row, left + column, start)
                return total + window * lax.dynamic_slice(pixels, place, (together, 1, 1, block))

            return total + lax.fori_loop(0, width, add_pixel, none)

        sums = lax.fori_loop(first, end, add_row, none)
        return lax.dynamic_update_slice(gradient, sums, (0, 0, 0, start))

    start = jnp.zeros((together, size, size, channels), jnp.float32)
    return lax.fori_loop(0, -(-channels // block), add_block, start)


def _sum_of_taps(x: Array, kernel: Array, stride: int, height: int, width: int) -> Array:
    """Each tap times the pixels that it meets, summed in float32."""
    total = jnp.zeros((x.shape[0], height, width, x.shape[-1]), jnp.float32)
    for row, column in taps_of(kernel.shape):
        seen = _seen(x, row, column, stride, height, width).astype(jnp.float32)
        total = total + seen * kernel[row, column].reshape(1, 1, 1, -1).astype(jnp.float32)
    return total.astype(x.dtype)


def _seen(x: Array, row: int, column: int, stride: int, height: int, width: int) -> Array:
    """The pixels that one tap meets: `height` by `width` of them, every stride-th."""
    return x[
        :,
        row : row + (height - 1) * stride + 1 : stride,
        column : column + (width - 1) * stride + 1 : stride,
    ]
