"""Ordinary convolutions.

Values and gradients are those of `jax.lax.conv_general_dilated`, which an accelerator runs. A CPU
runs the forms of `ops/cpu`, since XLA's own convolution gradients there take tens of times longer.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from elbow_jax.ops.cpu.calls import no_inline
from elbow_jax.ops.cpu.convolution import (
    convolution_by_patches,
    flipped_kernel,
    kernel_gradient_by_patches,
    kernel_gradient_by_taps,
    strided_input_gradient,
)
from elbow_jax.ops.padding import NO_PADS, Padding, Pads, resolve_pads
from elbow_jax.ops.pointwise import pointwise_convolution

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_MAX_PATCH = 128  # numbers of a patch that a CPU copies


def convolution(
    x: Float[Array, "b h w c_in"],
    kernel: Float[Array, "k k c_in c_out"],
    stride: int = 1,
    padding: Padding = "symmetric",
) -> Float[Array, "b h_out w_out c_out"]:
    """A convolution over all input channels; disjoint patches become one matrix product."""
    size = kernel.shape[0]
    pads = resolve_pads(x.shape[1], x.shape[2], size, stride, padding)
    if stride == size and pads == NO_PADS:
        flat = kernel.reshape(-1, kernel.shape[-1])
        gather = partial(_disjoint_patches, size=size)
        patches = lax.platform_dependent(x, cpu=partial(no_inline, gather), default=gather)
        return pointwise_convolution(patches, flat)
    return _convolution(x, kernel, stride, pads)


def lax_convolution(x: Array, kernel: Array, stride: int, pads: Pads) -> Array:
    """JAX's own convolution, grouped where the kernel has fewer input channels than `x`."""
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        pads,
        dimension_numbers=_LAYOUT,
        feature_group_count=x.shape[-1] // kernel.shape[2],
    )


def lax_gradients(
    x: Array, kernel: Array, cotangent: Array, stride: int, pads: Pads
) -> tuple[Array, Array]:
    """Input and kernel gradient of `lax_convolution`."""
    _, pullback = jax.vjp(partial(lax_convolution, stride=stride, pads=pads), x, kernel)
    return pullback(cotangent)


def _disjoint_patches(x: Array, size: int) -> Array:
    """Patches of `size` x `size` pixels as channels, without an incomplete last row or column."""
    batch, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[:, : rows * size, : columns * size]
    x = x.reshape(batch, rows, size, columns, size * channels)
    return jnp.concatenate([x[:, :, row] for row in range(size)], axis=-1)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolution(x: Array, kernel: Array, stride: int, pads: Pads) -> Array:
    on_cpu, default = (
        partial(compute, stride=stride, pads=pads)
        for compute in (_convolution_on_cpu, lax_convolution)
    )
    return lax.platform_dependent(x, kernel, cpu=on_cpu, default=default)


def _convolution_on_cpu(x: Array, kernel: Array, stride: int, pads: Pads) -> Array:
    compute = lax_convolution if _has_large_patches(kernel) else convolution_by_patches
    return compute(x, kernel, stride, pads)


def _has_large_patches(kernel: Array) -> bool:
    """Whether copying patches costs a CPU more than XLA's own convolution."""
    return kernel.shape[0] * kernel.shape[1] * kernel.shape[2] > _MAX_PATCH


def _convolution_forward(
    x: Array, kernel: Array, stride: int, pads: Pads
) -> tuple[Array, tuple[Array, Array]]:
    return _convolution(x, kernel, stride, pads), (x, kernel)


def _convolution_backward(
    stride: int, pads: Pads, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    default = partial(lax_gradients, stride=stride, pads=pads)
    on_cpu = partial(_gradients_on_cpu, stride=stride, pads=pads)
    return lax.platform_dependent(*residuals, cotangent, cpu=on_cpu, default=default)


def _gradients_on_cpu(
    x: Array, kernel: Array, cotangent: Array, stride: int, pads: Pads
) -> tuple[Array, Array]:
    if stride == 1:
        flipped, outer = flipped_kernel(kernel, cotangent.shape, pads, x.shape)
        input_gradient = _convolution_on_cpu(cotangent, flipped, 1, outer)
    else:
        input_gradient = strided_input_gradient(kernel, cotangent, stride, pads, x.shape)
    large = _has_large_patches(kernel)
    kernel_gradient = kernel_gradient_by_taps if large else kernel_gradient_by_patches
    return input_gradient, kernel_gradient(x, cotangent, stride, pads, kernel.shape)


_convolution.defvjp(_convolution_forward, _convolution_backward)
