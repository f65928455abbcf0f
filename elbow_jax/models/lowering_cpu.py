"""Convolutions and their gradients in the forms that XLA runs well on a CPU.

Shifted windows, matrix products and loops, in place of convolutions for which a CPU has only a
plain loop nest. `around` is the rows and columns of zeros put around the image; shapes are NHWC,
kernels `[k, k, c_in, c_out]`, depthwise `[k, k, 1, c]`.
"""

import itertools
from collections.abc import Iterator
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from elbow_jax.cores import available_cores
from elbow_jax.models.calls_cpu import apart, as_one_kernel
from elbow_jax.models.products_cpu import across

Pads = tuple[tuple[int, int], tuple[int, int]]
Shape = tuple[int, ...]

NOTHING: Pads = ((0, 0), (0, 0))

_MOST_LOOPS = 4  # each is compiled by itself
_SUMS_IN_CACHE = 6144  # of the 8192 numbers that 32 KiB hold


def pad(x: Array, around: Pads) -> Array:
    """Put zeros around images."""
    return jnp.pad(x, ((0, 0), *around, (0, 0)))


def within(shape: Shape, around: Pads) -> Shape:
    """The shape of images without what is around them."""
    batch, *sides, channels = shape
    height, width = (side - sum(ends) for side, ends in zip(sides, around, strict=True))
    return batch, height, width, channels


def by_patches(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    """An ordinary convolution over few channels: the pixels under all taps, one matrix product."""
    seen = _patches(x, kernel.shape, stride, around)
    flat = kernel.swapaxes(0, 1).reshape(-1, kernel.shape[-1])
    rows = lax.dot(seen.reshape(-1, seen.shape[-1]), flat)
    return rows.reshape(*seen.shape[:-1], -1)


def kernel_gradient_by_patches(
    x: Array, cotangent: Array, stride: int, around: Pads, kernel: Shape
) -> Array:
    """The gradient of the kernel of `by_patches`."""
    flat = _across_pixels(_patches(x, kernel, stride, around), cotangent)
    return flat.reshape(kernel[1], kernel[0], *kernel[2:]).swapaxes(0, 1)


def kernel_gradient(x: Array, cotangent: Array, stride: int, around: Pads, kernel: Shape) -> Array:
    """The gradient of an ordinary kernel in a few matrix products over the pixels of each image.

    Channels of the input come first: what a tap sees is then copied in long runs, and the pixels,
    over which a product sums, follow one another in its rows. The columns of taps see shifted
    inputs; the rows of taps too, or else shifted cotangents, whichever copies less.
    """
    size, _, seen, out_of = kernel
    on_both = stride == 1 and out_of < (size - 1) * seen
    form = partial(_taps_on_both if on_both else _taps_on_input, stride=stride, around=around)
    return apart(partial(form, kernel=kernel), x, cotangent).reshape(kernel)


def _taps_on_input(x: Array, cotangent: Array, stride: int, around: Pads, kernel: Shape) -> Array:
    """One product for each row of taps: `[k, k * c_in, c_out]`."""
    batch, height, width, out_of = cotangent.shape
    tall = (height - 1) * stride + 1
    beside = _columns_of_taps(x, stride, around, kernel, width)
    rows = [beside[:, :, tap : tap + tall : stride] for tap in range(kernel[0])]
    rows = [row.reshape(batch, -1, height * width) for row in rows]
    pixels = cotangent.reshape(batch, height * width, out_of)
    return jnp.stack([_over_pixels(row, pixels) for row in rows])


def _taps_on_both(x: Array, cotangent: Array, stride: int, around: Pads, kernel: Shape) -> Array:
    """One product, of columns of taps and rows of taps: `[k, k, c_in, c_out]`."""
    (top, bottom), sides = around
    size = kernel[0]
    beside = _columns_of_taps(x, stride, ((0, 0), sides), kernel, cotangent.shape[2])
    batch, _, height, width = beside.shape
    still, none = (0, 0, 0), jnp.zeros((), cotangent.dtype)
    shifts = [(tap - top, size - 1 - tap - bottom, 0) for tap in range(size)]
    below = [lax.pad(cotangent, none, (still, shift, still, still)) for shift in shifts]
    pixels = jnp.concatenate(below, axis=-1).reshape(batch, height * width, -1)
    flat = _over_pixels(beside.reshape(batch, -1, height * width), pixels)
    return flat.reshape(size, kernel[2], size, kernel[3]).transpose(2, 0, 1, 3)


def _columns_of_taps(x: Array, stride: int, around: Pads, kernel: Shape, width: int) -> Array:
    """What each column of taps sees, channels first: `[b, k * c, h, w_out]`."""
    planes = jnp.pad(x.transpose(0, 3, 1, 2), ((0, 0), (0, 0), *around))
    wide = (width - 1) * stride + 1
    seen = [planes[:, :, :, tap : tap + wide : stride] for tap in range(kernel[1])]
    return jnp.concatenate(seen, axis=1)


def _over_pixels(planes: Array, pixels: Array) -> Array:
    """`[b, n, pixels]` times `[b, pixels, m]`, summed over the images: `[n, m]`."""
    return lax.dot_general(planes, pixels, (((2,), (1,)), ((0,), (0,)))).sum(0)


def _across_pixels(x: Array, other: Array) -> Array:
    """Multiply two arrays of pixels over all pixels: `[channels, channels of the other]`."""
    return across(x.reshape(-1, x.shape[-1]), other.reshape(-1, other.shape[-1]))


def _patches(x: Array, kernel: Shape, stride: int, around: Pads) -> Array:
    """The pixels under all taps side by side, column by column: `[b, h_out, w_out, k * k * c]`.

    First of the rows, then of the columns: XLA compiles a kernel for each slice, and so there are
    2 k of them and not k * k.
    """
    height, width = _output_sizes(x.shape, kernel, stride, around)
    padded, tall, wide = pad(x, around), (height - 1) * stride + 1, (width - 1) * stride + 1
    rows = [padded[:, tap : tap + tall : stride] for tap in range(kernel[0])]
    beside = jnp.concatenate(rows, axis=-1)
    columns = [beside[:, :, tap : tap + wide : stride] for tap in range(kernel[1])]
    return jnp.concatenate(columns, axis=-1)


def turned(kernel: Array, cotangent: Shape, around: Pads, shape: Shape) -> tuple[Array, Pads]:
    """The kernel and zeros by which a convolution of stride 1 is the input's gradient."""
    beyond = _beyond(kernel.shape, cotangent, around, shape)
    return kernel[::-1, ::-1].transpose(0, 1, 3, 2), beyond


def input_gradient(
    kernel: Array, cotangent: Array, stride: int, around: Pads, shape: Shape
) -> Array:
    """The input's gradient for any stride.

    One matrix product for all taps; then each tap's part goes back to the pixels that it saw.
    """
    flat = kernel.reshape(-1, kernel.shape[-1])
    parts = lax.dot_general(cotangent, flat, (((3,), (1,)), ((), ())))
    put_back = partial(_put_back, kernel=kernel.shape, stride=stride, around=around, shape=shape)
    return apart(put_back, parts)


def _put_back(parts: Array, kernel: Shape, stride: int, around: Pads, shape: Shape) -> Array:
    """The sum of all taps' parts, `[b, h_out, w_out, k * k * c_in]`, over the image."""
    batch, rows, columns, _ = parts.shape
    height, width = (shape[axis + 1] + sum(around[axis]) for axis in (0, 1))
    parts = parts.reshape(batch, rows, columns, -1, shape[3])
    total = jnp.zeros((batch, height, width, shape[3]), parts.dtype)
    for number, (row, column) in enumerate(_taps(kernel)):
        below = height - row - ((rows - 1) * stride + 1)
        right = width - column - ((columns - 1) * stride + 1)
        place = ((0, 0, 0), (row, below, stride - 1), (column, right, stride - 1), (0, 0, 0))
        total = total + lax.pad(parts[:, :, :, number], jnp.zeros((), total.dtype), place)
    return _crop(total, around, shape)


def depthwise(padded: Array, kernel: Array, stride: int) -> Array:
    """A depthwise convolution as a sum of shifted products, computed once.

    Here and in the kernel's gradient an image has its zeros around it.
    """
    height, width = _output_sizes(padded.shape, kernel.shape, stride, NOTHING)
    sum_of_taps = partial(_sum_of_taps, stride=stride, height=height, width=width)
    return apart(sum_of_taps, padded, kernel)


def depthwise_input_gradient(
    kernel: Array, cotangent: Array, stride: int, around: Pads, shape: Shape
) -> Array:
    """The cotangent under the turned kernel, one phase of the stride at a time.

    Rows and columns of the padded input that are congruent modulo the stride meet the same taps,
    so each phase is a convolution of stride 1 and no product with an inserted zero is formed.
    """
    if stride == 1:
        taps, beyond = kernel[::-1, ::-1], _beyond(kernel.shape, cotangent.shape, around, shape)
        return depthwise(pad(cotangent, beyond), taps, 1)
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
    return _crop(grid, around, shape)


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
        beyond = _beyond(kernel, cotangent.shape, around, within(padded.shape, around))
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
    for row, column in _taps(kernel.shape):
        seen = _seen(x, row, column, stride, height, width).astype(jnp.float32)
        total = total + seen * kernel[row, column].reshape(1, 1, 1, -1).astype(jnp.float32)
    return total.astype(x.dtype)


def _taps(kernel: Shape) -> Iterator[tuple[int, int]]:
    """Row and column of each tap, in the order in which a kernel is stored."""
    return itertools.product(range(kernel[0]), range(kernel[1]))


def _seen(x: Array, row: int, column: int, stride: int, height: int, width: int) -> Array:
    """The pixels that one tap meets: `height` by `width` of them, every stride-th."""
    return x[
        :,
        row : row + (height - 1) * stride + 1 : stride,
        column : column + (width - 1) * stride + 1 : stride,
    ]


def _output_sizes(shape: Shape, kernel: Shape, stride: int, around: Pads) -> tuple[int, int]:
    height, width = (
        (shape[axis + 1] + sum(around[axis]) - kernel[axis]) // stride + 1 for axis in (0, 1)
    )
    return height, width


def _beyond(kernel: Shape, cotangent: Shape, around: Pads, shape: Shape) -> Pads:
    """The zeros around a cotangent of stride 1 under the turned kernel."""
    rows, columns = (
        (kernel[axis] - 1 - before, shape[axis + 1] + before - cotangent[axis + 1])
        for axis, (before, _) in enumerate(around)
    )
    return rows, columns


def _crop(x: Array, around: Pads, shape: Shape) -> Array:
    (top, _), (left, _) = around
    return x[:, top : top + shape[1], left : left + shape[2]]
