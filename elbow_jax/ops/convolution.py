"""Convolutions whose best lowering depends on the platform; the one place that chooses it.

Values and gradients are those of `jax.lax.conv_general_dilated`. An accelerator gets just that;
a CPU gets the forms of `lowering_cpu`, `depthwise_cpu` and `products_cpu`, because there XLA runs a
grouped convolution, and the gradients of any convolution, tens of times slower than it could.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from elbow_jax.ops.cpu import convolution as lowering_cpu
from elbow_jax.ops.cpu import depthwise as depthwise_cpu
from elbow_jax.ops.cpu import products as products_cpu
from elbow_jax.ops.cpu.calls import apart
from elbow_jax.ops.padding import NOTHING, Pads, pad, within
from elbow_jax.ops.rematerialisation import keep

Padding = Literal["same", "symmetric", "valid"]

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_WIDEST_PATCH = 128


def pads(height: int, width: int, kernel: int, stride: int, padding: Padding) -> Pads:
    """Rows and columns of zeros that a convolution puts around an image.

    `same` is TensorFlow's: ceil(n / stride) outputs, the odd row at the far side. `symmetric` is
    torch's: kernel // 2 on every side. `valid` is none.
    """
    if padding == "valid":
        return NOTHING
    if padding == "symmetric":
        return ((kernel // 2, kernel // 2), (kernel // 2, kernel // 2))
    down, across = (
        max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in (height, width)
    )
    return ((down // 2, down - down // 2), (across // 2, across - across // 2))


def pointwise_convolution(
    x: Float[Array, "*batch c_in"], kernel: Float[Array, "c_in c_out"]
) -> Float[Array, "*batch c_out"]:
    """A 1 x 1 convolution, which is a matrix product over the channels."""
    rows = x.reshape(-1, x.shape[-1])
    return _matrix_product(rows, kernel).reshape(*x.shape[:-1], kernel.shape[1])


def convolution(
    x: Float[Array, "b h w c_in"],
    kernel: Float[Array, "k k c_in c_out"],
    stride: int = 1,
    padding: Padding = "symmetric",
) -> Float[Array, "b h_out w_out c_out"]:
    """An ordinary convolution over every channel."""
    size = kernel.shape[0]
    around = pads(x.shape[1], x.shape[2], size, stride, padding)
    if stride == size and around == NOTHING:
        flat = kernel.reshape(-1, kernel.shape[-1])
        patches = partial(_disjoint_patches, size=size)
        once = partial(apart, patches)
        seen = lax.platform_dependent(x, cpu=once, default=patches)
        return pointwise_convolution(seen, flat)
    return _ordinary(x, kernel, stride, around)


def depthwise_convolution(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "k k 1 c"],
    stride: int = 1,
    padding: Padding = "symmetric",
    then: Callable[[Array], Array] | None = None,
) -> Float[Array, "b h_out w_out c"]:
    """A convolution of each channel by itself (Chollet, 2017, arXiv:1610.02357).

    `then` is what becomes of each number of the result; a CPU computes it in the same pass.
    """
    around = pads(x.shape[1], x.shape[2], kernel.shape[0], stride, padding)
    if jax.default_backend() != "cpu":
        out = _lax(x, kernel, stride, around)
        return then(out) if then else out
    # A block that computes again what it does not keep would pass over the image for its gradient.
    padded = keep(pad(x, around))
    if then is None:
        return _depthwise(padded, kernel, stride, around, True)

    def in_one_pass(padded: Array, kernel: Array) -> Array:
        return then(_depthwise(padded, kernel, stride, around, False))

    return apart(in_one_pass, padded, kernel)


def _lax(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        around,
        dimension_numbers=_LAYOUT,
        feature_group_count=x.shape[-1] // kernel.shape[2],
    )


def _lax_gradients(
    x: Array, kernel: Array, cotangent: Array, stride: int, around: Pads
) -> tuple[Array, Array]:
    _, pullback = jax.vjp(partial(_lax, stride=stride, around=around), x, kernel)
    return pullback(cotangent)


def _disjoint_patches(x: Array, size: int) -> Array:
    """`size` x `size` pixels side by side; a last row or column that fills none is dropped."""
    batch, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[:, : rows * size, : columns * size]
    x = x.reshape(batch, rows, size, columns, size * channels)
    return jnp.concatenate([x[:, :, row] for row in range(size)], axis=-1)


@jax.custom_vjp
def _matrix_product(rows: Array, kernel: Array) -> Array:
    return lax.platform_dependent(rows, kernel, cpu=products_cpu.along, default=lax.dot)


def _matrix_product_forward(rows: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _matrix_product(rows, kernel), (rows, kernel)


def _matrix_product_backward(
    residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    rows, kernel = residuals

    def across(rows: Array, cotangent: Array) -> Array:
        # In the orientation of the result: left to itself, XLA transposes the cotangent.
        return lax.dot_general(rows, cotangent, (((0,), (0,)), ((), ())))

    return (
        lax.dot_general(cotangent, kernel, (((1,), (1,)), ((), ()))),
        lax.platform_dependent(rows, cotangent, cpu=products_cpu.across, default=across),
    )


_matrix_product.defvjp(_matrix_product_forward, _matrix_product_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _ordinary(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    settings = {"stride": stride, "around": around}
    on_cpu, elsewhere = partial(_ordinary_on_cpu, **settings), partial(_lax, **settings)
    return lax.platform_dependent(x, kernel, cpu=on_cpu, default=elsewhere)


def _ordinary_on_cpu(x: Array, kernel: Array, stride: int, around: Pads) -> Array:
    compute = _lax if _is_wide(kernel) else lowering_cpu.by_patches
    return compute(x, kernel, stride, around)


def _is_wide(kernel: Array) -> bool:
    """Whether copying patches costs a CPU more than XLA's own convolution."""
    return kernel.shape[0] * kernel.shape[1] * kernel.shape[2] > _WIDEST_PATCH


def _ordinary_forward(
    x: Array, kernel: Array, stride: int, around: Pads
) -> tuple[Array, tuple[Array, Array]]:
    return _ordinary(x, kernel, stride, around), (x, kernel)


def _ordinary_backward(
    stride: int, around: Pads, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, kernel = residuals

    def products(x: Array, kernel: Array, cotangent: Array) -> tuple[Array, Array]:
        if stride == 1:
            turned, beyond = lowering_cpu.turned(kernel, cotangent.shape, around, x.shape)
            along = _ordinary_on_cpu(cotangent, turned, 1, beyond)
        else:
            along = lowering_cpu.input_gradient(kernel, cotangent, stride, around, x.shape)
        by_taps = lowering_cpu.kernel_gradient
        by_patches = lowering_cpu.kernel_gradient_by_patches
        gradient = by_taps if _is_wide(kernel) else by_patches
        return along, gradient(x, cotangent, stride, around, kernel.shape)

    other = partial(_lax_gradients, stride=stride, around=around)
    return lax.platform_dependent(x, kernel, cotangent, cpu=products, default=other)


_ordinary.defvjp(_ordinary_forward, _ordinary_backward)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _depthwise(padded: Array, kernel: Array, stride: int, around: Pads, once: bool) -> Array:
    """A convolution of images that have their zeros around them; these have no gradient."""
    del around
    compute = depthwise_cpu.depthwise_once if once else depthwise_cpu.depthwise
    return lax.platform_dependent(
        padded,
        kernel,
        cpu=partial(compute, stride=stride),
        default=partial(_lax, stride=stride, around=NOTHING),
    )


def _depthwise_forward(
    padded: Array, kernel: Array, stride: int, around: Pads, once: bool
) -> tuple[Array, tuple[Array, Array]]:
    return _depthwise(padded, kernel, stride, around, once), (padded, kernel)


def _depthwise_backward(
    stride: int, around: Pads, once: bool, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    del once

    def products(padded: Array, kernel: Array, cotangent: Array) -> tuple[Array, Array]:
        settings = (stride, around)
        shape = within(padded.shape, around)
        along = depthwise_cpu.depthwise_input_gradient(kernel, cotangent, *settings, shape)
        return (
            pad(along, around),
            depthwise_cpu.depthwise_kernel_gradient(padded, cotangent, *settings, kernel.shape),
        )

    other = partial(_lax_gradients, stride=stride, around=NOTHING)
    return lax.platform_dependent(*residuals, cotangent, cpu=products, default=other)


_depthwise.defvjp(_depthwise_forward, _depthwise_backward)
