"""Ordinary convolutions and their gradients as matrix products over copied pixels.

On a CPU XLA has only a plain loop nest for many of these convolutions. `pads` are the rows and
columns of zeros added to the image; shapes are NHWC, kernels `[k, k, c_in, c_out]`.
"""

from functools import partial

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from elbow_jax.ops.cpu.calls import no_inline
from elbow_jax.ops.cpu.products import transposed_matmul
from elbow_jax.ops.padding import (
    Pads,
    Shape,
    kernel_taps,
    output_size,
    pad,
    transposed_pads,
    unpad,
)


def convolution_by_patches(x: Array, kernel: Array, stride: int, pads: Pads) -> Array:
    """A convolution over few channels: gather each output pixel's patch, one matrix product."""
    patches = _patches(x, kernel.shape, stride, pads)
    flat = kernel.swapaxes(0, 1).reshape(-1, kernel.shape[-1])
    rows = lax.dot(patches.reshape(-1, patches.shape[-1]), flat)
    return rows.reshape(*patches.shape[:-1], -1)


def kernel_gradient_by_patches(
    x: Array, cotangent: Array, stride: int, pads: Pads, kernel: Shape
) -> Array:
    """The kernel gradient of `convolution_by_patches`."""
    patches = _patches(x, kernel, stride, pads)
    flat = transposed_matmul(
        patches.reshape(-1, patches.shape[-1]), cotangent.reshape(-1, cotangent.shape[-1])
    )
    return flat.reshape(kernel[1], kernel[0], *kernel[2:]).swapaxes(0, 1)


def kernel_gradient_by_taps(
    x: Array, cotangent: Array, stride: int, pads: Pads, kernel: Shape
) -> Array:
    """The kernel gradient in a few matrix products over the pixels of each image.

    Input channels come first: each tap's pixels are then copied in long runs, and the pixels over
    which a product sums are contiguous in its rows. Taps of one column read shifted inputs; taps of
    one row read shifted inputs or shifted cotangents, whichever copies less.
    """
    size, _, c_in, c_out = kernel
    shift_both = stride == 1 and c_out < (size - 1) * c_in
    gradient = _shift_both if shift_both else _shift_input
    compute = partial(gradient, stride=stride, pads=pads, kernel=kernel)
    return no_inline(compute, x, cotangent).reshape(kernel)


def _shift_input(x: Array, cotangent: Array, stride: int, pads: Pads, kernel: Shape) -> Array:
    """One product for each row of taps: `[k, k * c_in, c_out]`."""
    batch, height, width, c_out = cotangent.shape
    tall = (height - 1) * stride + 1
    columns = _shifted_columns(x, stride, pads, kernel, width)
    rows = [columns[:, :, tap : tap + tall : stride] for tap in range(kernel[0])]
    rows = [row.reshape(batch, -1, height * width) for row in rows]
    pixels = cotangent.reshape(batch, height * width, c_out)
    return jnp.stack([_contract_pixels(row, pixels) for row in rows])


def _shift_both(x: Array, cotangent: Array, stride: int, pads: Pads, kernel: Shape) -> Array:
    """One product of inputs shifted by columns and cotangents by rows: `[k, k, c_in, c_out]`."""
    (top, bottom), sides = pads
    size = kernel[0]
    columns = _shifted_columns(x, stride, ((0, 0), sides), kernel, cotangent.shape[2])
    batch, _, height, width = columns.shape
    none, zero = (0, 0, 0), jnp.zeros((), cotangent.dtype)
    shifts = [(tap - top, size - 1 - tap - bottom, 0) for tap in range(size)]
    rows = [lax.pad(cotangent, zero, (none, shift, none, none)) for shift in shifts]
    pixels = jnp.concatenate(rows, axis=-1).reshape(batch, height * width, -1)
    flat = _contract_pixels(columns.reshape(batch, -1, height * width), pixels)
    return flat.reshape(size, kernel[2], size, kernel[3]).transpose(2, 0, 1, 3)


def _shifted_columns(x: Array, stride: int, pads: Pads, kernel: Shape, width: int) -> Array:
    """The pixels under each column of taps, channels first: `[b, k * c, h, w_out]`."""
    planes = jnp.pad(x.transpose(0, 3, 1, 2), ((0, 0), (0, 0), *pads))
    wide = (width - 1) * stride + 1
    shifted = [planes[:, :, :, tap : tap + wide : stride] for tap in range(kernel[1])]
    return jnp.concatenate(shifted, axis=1)


def _contract_pixels(planes: Array, pixels: Array) -> Array:
    """`[b, n, pixels]` times `[b, pixels, m]`, summed over the images: `[n, m]`."""
    return lax.dot_general(planes, pixels, (((2,), (1,)), ((0,), (0,)))).sum(0)


def _patches(x: Array, kernel: Shape, stride: int, pads: Pads) -> Array:
    """Each output pixel's patch as channels, column by column: `[b, h_out, w_out, k * k * c]`.

    Rows are gathered first, then columns: XLA compiles a kernel for each slice, and this takes 2 k
    slices in place of k * k.
    """
    height, width = output_size(x.shape, kernel, stride, pads)
    padded, tall, wide = pad(x, pads), (height - 1) * stride + 1, (width - 1) * stride + 1
    rows = [padded[:, tap : tap + tall : stride] for tap in range(kernel[0])]
    stacked = jnp.concatenate(rows, axis=-1)
    columns = [stacked[:, :, tap : tap + wide : stride] for tap in range(kernel[1])]
    return jnp.concatenate(columns, axis=-1)


def flipped_kernel(kernel: Array, cotangent: Shape, pads: Pads, shape: Shape) -> tuple[Array, Pads]:
    """Kernel and padding of the convolution that is the input gradient at stride 1."""
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)
    return flipped, transposed_pads(kernel.shape, cotangent, pads, shape)


def strided_input_gradient(
    kernel: Array, cotangent: Array, stride: int, pads: Pads, shape: Shape
) -> Array:
    """The input gradient for any stride: one matrix product, then a sum over shifted taps."""
    flat = kernel.reshape(-1, kernel.shape[-1])
    products = lax.dot_general(cotangent, flat, (((3,), (1,)), ((), ())))
    sum_taps = partial(_sum_taps, kernel=kernel.shape, stride=stride, pads=pads, shape=shape)
    return no_inline(sum_taps, products)


def _sum_taps(products: Array, kernel: Shape, stride: int, pads: Pads, shape: Shape) -> Array:
    """Add each tap's products, `[b, h_out, w_out, k * k * c_in]`, to the pixels that it reads."""
    batch, rows, columns, _ = products.shape
    height, width = (shape[axis + 1] + sum(pads[axis]) for axis in (0, 1))
    products = products.reshape(batch, rows, columns, -1, shape[3])
    total = jnp.zeros((batch, height, width, shape[3]), products.dtype)
    for number, (row, column) in enumerate(kernel_taps(kernel)):
        bottom = height - row - ((rows - 1) * stride + 1)
        right = width - column - ((columns - 1) * stride + 1)
        place = ((0, 0, 0), (row, bottom, stride - 1), (column, right, stride - 1), (0, 0, 0))
        total = total + lax.pad(products[:, :, :, number], jnp.zeros((), total.dtype), place)
    return unpad(total, pads, shape)
