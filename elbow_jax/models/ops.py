"""Convolutions whose best lowering depends on the platform; the one place that knows it.

XLA's grouped convolution is slow on a CPU, and so are the gradients of a 1 x 1 convolution. Both
are therefore written here in the form that the platform runs well. Values and gradients are those
of `jax.lax.conv_general_dilated`.
"""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Padding = Literal["same", "symmetric"]
Pads = tuple[tuple[int, int], tuple[int, int]]

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def pads(height: int, width: int, kernel: int, stride: int, padding: Padding) -> Pads:
    """Rows and columns of zeros that a convolution puts around an image.

    `same` is TensorFlow's: ceil(n / stride) outputs, the odd row at the far side. `symmetric` is
    torch's: kernel // 2 on every side.
    """
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
    return lax.dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))


def convolution(
    x: Float[Array, "b h w c_in"],
    kernel: Float[Array, "k k c_in c_out"],
    stride: int = 1,
    padding: Padding = "symmetric",
) -> Float[Array, "b h_out w_out c_out"]:
    """An ordinary convolution over every channel."""
    around = pads(x.shape[1], x.shape[2], kernel.shape[0], stride, padding)
    return lax.conv_general_dilated(x, kernel, (stride, stride), around, dimension_numbers=_LAYOUT)


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


def _window(x: Array, row: int, column: int, stride: int, height: int, width: int) -> Array:
    """What one tap of the kernel sees: every stride-th pixel, `height` by `width` of them."""
    return x[
        :,
        row : row + (height - 1) * stride + 1 : stride,
        column : column + (width - 1) * stride + 1 : stride,
    ]


def _output_size(size: int, kernel: int, stride: int, around: tuple[int, int]) -> int:
    return (size + sum(around) - kernel) // stride + 1


def _shifted_products(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    size = kernel.shape[0]
    height, width = (_output_size(x.shape[axis + 1], size, stride, around[axis]) for axis in (0, 1))
    padded = jnp.pad(x, ((0, 0), *around, (0, 0)))
    total = jnp.zeros((), x.dtype)
    for row in range(size):
        for column in range(size):
            tap = kernel[row, column].reshape(1, 1, 1, -1)
            total = total + _window(padded, row, column, stride, height, width) * tap
    return total


def _input_gradient(
    kernel: Array, cotangent: Array, stride: int, around: Pads, shape: tuple[int, ...]
) -> Array:
    """The cotangent, spread to the input's grid, under the kernel turned by 180 degrees."""
    size = kernel.shape[0]
    configuration = [(0, 0, 0)]
    for axis in (0, 1):
        before = size - 1 - around[axis][0]
        spread = (cotangent.shape[axis + 1] - 1) * stride + 1
        after = shape[axis + 1] + size - 1 - before - spread
        configuration.append((before, after, stride - 1))
    configuration.append((0, 0, 0))
    spread = lax.pad(cotangent, jnp.zeros((), cotangent.dtype), configuration)
    return _shifted_products(spread, kernel[::-1, ::-1], 1, ((0, 0), (0, 0)))


def _kernel_gradient(
    x: Array, cotangent: Array, stride: int, around: Pads, shape: tuple[int, ...]
) -> Array:
    """A loop over rows whose accumulator stays in the cache: no pass over memory for each tap."""
    size, _, _, channels = shape
    batch, height, width, _ = cotangent.shape
    padded = jnp.pad(x, ((0, 0), *around, (0, 0))).astype(jnp.float32)
    cotangent = cotangent.astype(jnp.float32)

    def add_row(index: Array, totals: tuple[Array, ...]) -> tuple[Array, ...]:
        image, row = index // height, index % height
        rows = lax.dynamic_slice(
            padded,
            (image, row * stride, 0, 0),
            (1, size, padded.shape[2], channels),
        )[0]
        out = lax.dynamic_slice(cotangent, (image, row, 0, 0), (1, 1, width, channels))[0]
        return tuple(
            total + rows[:, column : column + (width - 1) * stride + 1 : stride] * out
            for column, total in enumerate(totals)
        )

    start = tuple(jnp.zeros((size, width, channels), jnp.float32) for _ in range(size))
    totals = lax.fori_loop(0, batch * height, add_row, start)
    gradient = jnp.stack([total.sum(axis=1) for total in totals], axis=1)
    return gradient.reshape(shape).astype(x.dtype)
