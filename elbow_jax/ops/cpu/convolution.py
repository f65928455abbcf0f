"""Ordinary convolutions and their gradients in the forms that XLA runs well on a CPU.

Matrix products over copied pixels, in place of convolutions for which a CPU has only a plain loop
nest. `around` is the rows and columns of zeros put around the image; shapes are NHWC, kernels
`[k, k, c_in, c_out]`.
"""

from functools import partial

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from elbow_jax.ops.cpu.calls import apart
from elbow_jax.ops.cpu.products import across
from elbow_jax.ops.padding import Pads, Shape, crop, output_sizes, pad, taps_of, zeros_beyond


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
    height, width = output_sizes(x.shape, kernel, stride, around)
    padded, tall, wide = pad(x, around), (height - 1) * stride + 1, (width - 1) * stride + 1
    rows = [padded[:, tap : tap + tall : stride] for tap in range(kernel[0])]
    beside = jnp.concatenate(rows, axis=-1)
    columns = [beside[:, :, tap : tap + wide : stride] for tap in range(kernel[1])]
    return jnp.concatenate(columns, axis=-1)


def turned(kernel: Array, cotangent: Shape, around: Pads, shape: Shape) -> tuple[Array, Pads]:
    """The kernel and zeros by which a convolution of stride 1 is the input's gradient."""
    beyond = zeros_beyond(kernel.shape, cotangent, around, shape)
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
    for number, (row, column) in enumerate(taps_of(kernel)):
        below = height - row - ((rows - 1) * stride + 1)
        right = width - column - ((columns - 1) * stride + 1)
        place = ((0, 0, 0), (row, below, stride - 1), (column, right, stride - 1), (0, 0, 0))
        total = total + lax.pad(parts[:, :, :, number], jnp.zeros((), total.dtype), place)
    return crop(total, around, shape)
