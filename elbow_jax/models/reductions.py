"""Sums and maxima over pixels, and the products whose gradients are such sums.

Values and gradients are those of the plain expressions. On a CPU each reduction runs over one axis
of an array behind a barrier: XLA then takes it in blocks of rows and reads it from memory, where
otherwise it draws the expression that is summed into the sum and computes it column by column, with
a stride of all channels, which took up to a hundred times as long.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def pixel_sums(x: Float[Array, "*n c"]) -> Float[Array, "c"]:
    """Sum each channel over all images and pixels, in float32."""
    return _over(x.astype(jnp.float32).reshape(-1, x.shape[-1]), lambda rows: rows.sum(0))


def spatial_sums(x: Float[Array, "b h w c"]) -> Float[Array, "b 1 1 c"]:
    """Sum each channel of each image over its pixels, in float32."""
    rows = x.astype(jnp.float32).reshape(x.shape[0], -1, x.shape[-1])
    return _over(rows, lambda rows: rows.sum(1))[:, None, None]


def spatial_mean(x: Float[Array, "b h w c"]) -> Float[Array, "b 1 1 c"]:
    """The mean over rows and columns, in float32."""
    return spatial_sums(x) / (x.shape[1] * x.shape[2])


@jax.custom_vjp
def spatial_max(x: Float[Array, "b h w c"]) -> Float[Array, "b 1 1 c"]:
    """The maximum over rows and columns; equal maxima share the gradient evenly."""
    rows = x.reshape(x.shape[0], -1, x.shape[-1])
    return _over(rows, lambda rows: rows.max(1))[:, None, None]


def _spatial_max_forward(x: Array) -> tuple[Array, tuple[Array, Array]]:
    peak = spatial_max(x)
    return peak, (x, peak)


def _spatial_max_backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array]:
    x, peak = residuals
    at_peak = (x == peak).astype(jnp.float32)
    return ((cotangent * at_peak / spatial_sums(at_peak)).astype(x.dtype),)


spatial_max.defvjp(_spatial_max_forward, _spatial_max_backward)


@jax.custom_vjp
def add_bias(x: Float[Array, "*n c"], bias: Float[Array, "c"]) -> Float[Array, "*n c"]:
    """Add a number to each channel."""
    return x + bias.reshape((1,) * (x.ndim - 1) + (-1,)).astype(x.dtype)


def _add_bias_forward(x: Array, bias: Array) -> tuple[Array, Array]:
    return add_bias(x, bias), bias[:0]


def _add_bias_backward(like: Array, cotangent: Array) -> tuple[Array, Array]:
    return cotangent, pixel_sums(cotangent).astype(like.dtype)


add_bias.defvjp(_add_bias_forward, _add_bias_backward)


@jax.custom_vjp
def scale_channels(
    x: Float[Array, "b h w c"], gate: Float[Array, "b 1 1 c"]
) -> Float[Array, "b h w c"]:
    """Multiply each channel of each image by a number."""
    return x * gate


def _scale_channels_forward(x: Array, gate: Array) -> tuple[Array, tuple[Array, Array]]:
    return scale_channels(x, gate), (x, gate)


def _scale_channels_backward(
    residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, gate = residuals
    wide = cotangent.astype(jnp.float32) * x.astype(jnp.float32)
    return (cotangent * gate).astype(x.dtype), spatial_sums(wide).astype(gate.dtype)


scale_channels.defvjp(_scale_channels_forward, _scale_channels_backward)


def _over(rows: Array, reduce: Callable[[Array], Array]) -> Array:
    return lax.platform_dependent(
        rows, cpu=lambda rows: reduce(lax.optimization_barrier(rows)), default=reduce
    )
