"""Convolutions whose best lowering depends on the platform; the one place that knows it.

XLA's grouped convolution is slow on a CPU, and so are the gradients of a 1 x 1 convolution. Both
are therefore written here in the form that the platform runs well. Values and gradients are those
of `jax.lax.conv_general_dilated`.
"""

import itertools
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Padding = Literal["same", "symmetric", "valid"]
Pads = tuple[tuple[int, int], tuple[int, int]]

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_WIDEST_PATCH = 128  # beyond this the copies cost more than XLA's own convolution


def pads(height: int, width: int, kernel: int, stride: int, padding: Padding) -> Pads:
    """Rows and columns of zeros that a convolution puts around an image.

    `same` is TensorFlow's: ceil(n / stride) outputs, the odd row at the far side. `symmetric` is
    torch's: kernel // 2 on every side. `valid` is none.
    """
    if padding == "valid":
        return ((0, 0), (0, 0))
    if padding == "symmetric":
        return ((kernel // 2, kernel // 2), (kernel // 2, kernel // 2))
    along_height, along_width = (
        max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (height, width)
    )
    return (
        (along_height // 2, along_height - along_height // 2),
        (along_width // 2, along_width - along_width // 2),
    )


def pointwise_convolution(
    x: Float[Array, "*batch c_in"], kernel: Float[Array, "c_in c_out"]
) -> Float[Array, "*batch c_out"]:
    """A 1 x 1 convolution, which is a matrix product over the channels."""
    rows = x.reshape(-1, x.shape[-1])
    return _matrix_product(rows, kernel).reshape(*x.shape[:-1], kernel.shape[1])


@jax.custom_vjp
def _matrix_product(rows: Array, kernel: Array) -> Array:
    return lax.dot(rows, kernel)


def _matrix_product_forward(rows: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _matrix_product(rows, kernel), (rows, kernel)


def _matrix_product_backward(
    residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    # Both products in the orientation of their results: a transposed one has XLA copy the
    # cotangent, which took longer than the product.
    rows, kernel = residuals
    along = lax.dot_general(cotangent, kernel, (((1,), (1,)), ((), ())))
    return along, lax.dot_general(rows, cotangent, (((0,), (0,)), ((), ())))


_matrix_product.defvjp(_matrix_product_forward, _matrix_product_backward)


def convolution(
    x: Float[Array, "b h w c_in"],
    kernel: Float[Array, "k k c_in c_out"],
    stride: int = 1,
    padding: Padding = "symmetric",
) -> Float[Array, "b h_out w_out c_out"]:
    """An ordinary convolution over every channel."""
    around = pads(x.shape[1], x.shape[2], kernel.shape[0], stride, padding)
    return lax.platform_dependent(
        x,
        kernel,
        cpu=partial(_patches_product, stride=stride, around=around),
        default=partial(_dense, stride=stride, around=around),
    )


def _dense(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    return lax.conv_general_dilated(x, kernel, (stride, stride), around, dimension_numbers=_LAYOUT)


def _patches_product(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    """The pixels under each tap side by side, times the kernel as one matrix."""
    size = kernel.shape[0]
    if x.shape[-1] * size * size > _WIDEST_PATCH:
        return _dense(x, kernel, stride, around)
    height, width = (_output_size(x.shape[axis + 1], size, stride, around[axis]) for axis in (0, 1))
    padded = _pad(x, around)
    patches = jnp.concatenate(
        [
            padded[
                :,
                row : row + (height - 1) * stride + 1 : stride,
                column : column + (width - 1) * stride + 1 : stride,
            ]
            for row, column in itertools.product(range(size), repeat=2)
        ],
        axis=-1,
    )
    return pointwise_convolution(patches, kernel.reshape(-1, kernel.shape[-1]))


def depthwise_convolution(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "k k 1 c"],
    stride: int = 1,
    padding: Padding = "symmetric",
) -> Float[Array, "b h_out w_out c"]:
    """A convolution of each channel by itself (Chollet, 2017, arXiv:1610.02357)."""
    around = pads(x.shape[1], x.shape[2], kernel.shape[0], stride, padding)
    return _depthwise(x, kernel, stride, around)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _depthwise(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    return lax.platform_dependent(
        x,
        kernel,
        cpu=partial(_shifted_products, stride=stride, around=around),
        default=partial(_grouped, stride=stride, around=around),
    )


def _depthwise_forward(
    x: Array, kernel: Array, stride: int, around: Pads
) -> tuple[Array, tuple[Array, Array]]:
    return _depthwise(x, kernel, stride, around), (x, kernel)


def _depthwise_backward(
    stride: int, around: Pads, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, kernel = residuals

    def shifted(x: Array, kernel: Array, cotangent: Array) -> tuple[Array, Array]:
        return (
            _input_gradient(kernel, cotangent, stride, around, x.shape),
            _kernel_gradient(x, cotangent, stride, around, kernel.shape),
        )

    def grouped(x: Array, kernel: Array, cotangent: Array) -> tuple[Array, Array]:
        _, pullback = jax.vjp(partial(_grouped, stride=stride, around=around), x, kernel)
        return pullback(cotangent)

    return lax.platform_dependent(x, kernel, cotangent, cpu=shifted, default=grouped)


_depthwise.defvjp(_depthwise_forward, _depthwise_backward)


def _grouped(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        around,
        dimension_numbers=_LAYOUT,
        feature_group_count=x.shape[-1],
    )


def _output_size(size: int, kernel: int, stride: int, around: tuple[int, int]) -> int:
    return (size + sum(around) - kernel) // stride + 1


def _sum_of_taps(x: Array, kernel: Array, stride: int, height: int, width: int) -> Array:
    """Each tap times the pixels that it sees: `height` by `width` of them, every stride-th."""
    total = jnp.zeros((x.shape[0], height, width, x.shape[-1]), jnp.float32)
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            seen = x[
                :,
                row : row + (height - 1) * stride + 1 : stride,
                column : column + (width - 1) * stride + 1 : stride,
            ]
            tap = kernel[row, column].reshape(1, 1, 1, -1)
            total = total + seen.astype(jnp.float32) * tap.astype(jnp.float32)
    return total.astype(x.dtype)


def _shifted_products(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    height, width = (
        _output_size(x.shape[axis + 1], kernel.shape[axis], stride, around[axis]) for axis in (0, 1)
    )
    return _sum_of_taps(_pad(x, around), kernel, stride, height, width)


def _pad(x: Array, around: Pads) -> Array:
    return jnp.pad(x, ((0, 0), *around, (0, 0)))


def _input_gradient(
    kernel: Array, cotangent: Array, stride: int, around: Pads, shape: tuple[int, ...]
) -> Array:
    """The cotangent under the turned kernel, one phase of the stride at a time.

    Rows and columns of the padded input that are congruent modulo the stride meet the same taps,
    so each phase is a convolution of stride 1 and no product with an inserted zero is formed.
    """
    batch, _, _, channels = shape
    rows, columns = (-(-(shape[axis + 1] + sum(around[axis])) // stride) for axis in (0, 1))
    phases = []
    for row, column in itertools.product(range(stride), repeat=2):
        taps = kernel[row::stride, column::stride][::-1, ::-1]
        before = (taps.shape[0] - 1, taps.shape[1] - 1)
        after = (rows - cotangent.shape[1], columns - cotangent.shape[2])
        configuration = ((0, 0, 0), (before[0], after[0], 0), (before[1], after[1], 0), (0, 0, 0))
        padded = lax.pad(cotangent, jnp.zeros((), cotangent.dtype), configuration)
        phases.append(_sum_of_taps(padded, taps, 1, rows, columns))
    grid = jnp.stack(phases).reshape(stride, stride, batch, rows, columns, channels)
    grid = grid.transpose(2, 3, 0, 4, 1, 5).reshape(
        batch, rows * stride, columns * stride, channels
    )
    (top, _), (left, _) = around
    return grid[:, top : top + shape[1], left : left + shape[2]]


def _kernel_gradient(
    x: Array, cotangent: Array, stride: int, around: Pads, shape: tuple[int, ...]
) -> Array:
    """A loop over rows whose accumulators stay in the cache, in place of a pass for each tap.

    Columns are split by the phase of the stride and then joined with the channels, so that every
    tap reads one unbroken run of memory.
    """
    size, _, _, channels = shape
    batch, height, width, _ = cotangent.shape
    run = width * channels
    padded = _pad(x, around).astype(jnp.float32)
    phases = [padded[:, :, phase::stride] for phase in range(min(stride, size))]
    phases = [phase.reshape(*phase.shape[:2], -1) for phase in phases]
    cotangent = cotangent.astype(jnp.float32).reshape(batch, height, run)

    def add_row(index: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        image, row = index // height, index % height
        rows = [
            lax.dynamic_slice(phase, (image, row * stride, 0), (1, size, phase.shape[2]))[0]
            for phase in phases
        ]
        out = lax.dynamic_slice(cotangent, (image, row, 0), (1, 1, run))[0]
        return tuple(
            total + rows[tap % stride][:, (tap // stride) * channels :][:, :run] * out
            for tap, total in enumerate(totals)
        )

    start = tuple(jnp.zeros((size, run), jnp.float32) for _ in range(size))
    totals = lax.fori_loop(0, batch * height, add_row, start)
    gradient = jnp.stack([t.reshape(size, width, channels).sum(1) for t in totals], axis=1)
    return gradient.reshape(shape).astype(x.dtype)
