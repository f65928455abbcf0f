"""Sums and maxima over pixels or channels, and the products whose gradients are such sums.

Values and gradients are those of the plain expressions. On a CPU a reduction over rows first adds
(or takes the maximum of) eight parts of the rows elementwise: one pass, into which XLA fuses the
summed expression. A plain reduction makes XLA compute that expression column by column, with a
stride of all channels, which took up to a hundred times as long. A reduction over channels first
adds slices of the channels.
"""

from collections.abc import Callable
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

_MAX_PARTS = 8
_LANES = 16  # float32 numbers in the widest register of a CPU
_MAX_SLICES = 12  # of a vector of channels; XLA does not fuse an array with more consumers
_MIN_ROWS = 33  # XLA reduces this many rows in blocks; fewer it fuses with their producer


def pixel_sums(x: Float[Array, "*n c"]) -> Float[Array, "c"]:
    """Sum each channel over all images and pixels, in float32."""
    return _over_rows(_rows(x), jnp.add, jnp.sum)


def channel_mean(x: Float[Array, "*n c"]) -> Float[Array, "*n 1"]:
    """The mean over the last axis, in float32."""
    return _channel_sums(x) / x.shape[-1]


def channel_max(x: Float[Array, "*n c"]) -> Float[Array, "*n 1"]:
    """The maximum over the last axis; equal maxima share the gradient evenly."""
    return _maximum(x, _channel_maxima, _channel_sums)


def spatial_sums(x: Float[Array, "b h w c"]) -> Float[Array, "b 1 1 c"]:
    """Sum each channel of each image over its pixels, in float32."""
    rows = x.astype(jnp.float32).reshape(x.shape[0], -1, x.shape[-1])
    return _over_rows(rows, jnp.add, jnp.sum)[:, None, None]


def spatial_mean(x: Float[Array, "b h w c"]) -> Float[Array, "b 1 1 c"]:
    """The mean over rows and columns, in float32."""
    return spatial_sums(x) / (x.shape[1] * x.shape[2])


def spatial_max(x: Float[Array, "b h w c"]) -> Float[Array, "b 1 1 c"]:
    """The maximum over rows and columns; equal maxima share the gradient evenly."""
    return _maximum(x, _spatial_maxima, spatial_sums)


@jax.custom_vjp
def add_bias(x: Float[Array, "*n c"], bias: Float[Array, "c"]) -> Float[Array, "*n c"]:
    """Add one number to each channel."""
    return x + bias.reshape((1,) * (x.ndim - 1) + (-1,)).astype(x.dtype)


def _add_bias_forward(x: Array, bias: Array) -> tuple[Array, Array]:
    return add_bias(x, bias), bias[:0]


def _add_bias_backward(like: Array, cotangent: Array) -> tuple[Array, Array]:
    # In one part, that is, from memory: the matrix products read the cotangent from there anyway.
    return cotangent, _over_rows(_rows(cotangent), jnp.add, jnp.sum, parts=1).astype(like.dtype)


add_bias.defvjp(_add_bias_forward, _add_bias_backward)


def scale_channels(
    x: Float[Array, "b h w c"], gate: Float[Array, "b 1 1 c"]
) -> Float[Array, "b h w c"]:
    """Multiply each channel of each image by one number."""
    return _scale(x, gate, spatial_sums)


def scale_pixels(
    x: Float[Array, "b h w c"], gate: Float[Array, "b h w 1"]
) -> Float[Array, "b h w c"]:
    """Multiply all channels of each pixel by one number."""
    return _scale(x, gate, _channel_sums)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _scale(x: Array, gate: Array, sums: Callable[[Array], Array]) -> Array:
    """Multiply by a gate; `sums` reduces the axes over which the gate is broadcast."""
    return x * gate


def _scale_forward(
    x: Array, gate: Array, sums: Callable[[Array], Array]
) -> tuple[Array, tuple[Array, Array]]:
    return x * gate, (x, gate)


def _scale_backward(
    sums: Callable[[Array], Array], residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    x, gate = residuals
    wide = cotangent.astype(jnp.float32) * x.astype(jnp.float32)
    return (cotangent * gate).astype(x.dtype), sums(wide).astype(gate.dtype)


_scale.defvjp(_scale_forward, _scale_backward)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _maximum(x: Array, maxima: Callable[[Array], Array], sums: Callable[[Array], Array]) -> Array:
    """`maxima` of an array; `sums` reduces the same axes."""
    return maxima(x)


def _maximum_forward(
    x: Array, maxima: Callable[[Array], Array], sums: Callable[[Array], Array]
) -> tuple[Array, tuple[Array, Array]]:
    peak = maxima(x)
    return peak, (x, peak)


def _maximum_backward(
    maxima: Callable[[Array], Array],
    sums: Callable[[Array], Array],
    residuals: tuple[Array, Array],
    cotangent: Array,
) -> tuple[Array]:
    x, peak = residuals
    at_peak = (x == peak).astype(jnp.float32)
    return ((cotangent * at_peak / sums(at_peak)).astype(x.dtype),)


_maximum.defvjp(_maximum_forward, _maximum_backward)


def _spatial_maxima(x: Float[Array, "b h w c"]) -> Float[Array, "b 1 1 c"]:
    rows = x.reshape(x.shape[0], -1, x.shape[-1])
    return _over_rows(rows, jnp.maximum, jnp.max)[:, None, None]


def _channel_maxima(x: Float[Array, "*n c"]) -> Float[Array, "*n 1"]:
    return _over_channels(x, jnp.maximum, jnp.max)


def _channel_sums(x: Float[Array, "*n c"]) -> Float[Array, "*n 1"]:
    return _over_channels(x.astype(jnp.float32), jnp.add, jnp.sum)


def _rows(x: Array) -> Float[Array, "n c"]:
    # The shape that matrix products read too; for another shape XLA would compute `x` twice.
    return x.reshape(-1, x.shape[-1]).astype(jnp.float32)


def _over_channels(
    x: Float[Array, "*n c"],
    combine: Callable[[Array, Array], Array],
    reduction: Callable[..., Array],
) -> Float[Array, "*n 1"]:
    """Reduce the last axis; a CPU first combines a few slices elementwise."""

    def in_slices(x: Array) -> Array:
        channels = x.shape[-1]
        width = _LANES * -(-channels // (_MAX_SLICES * _LANES))
        end = channels // width * width
        if end <= width:
            return reduction(x, axis=-1, keepdims=True)
        slices = [x[..., start : start + width] for start in range(0, end, width)]
        joined = in_slices(lax.optimization_barrier(reduce(combine, slices)))
        rest = x[..., end:]
        return combine(joined, in_slices(rest)) if end < channels else joined

    plain = partial(reduction, axis=-1, keepdims=True)
    return lax.platform_dependent(x, cpu=in_slices, default=plain)


def _over_rows(
    x: Float[Array, "*b n c"],
    combine: Callable[[Array, Array], Array],
    reduction: Callable[..., Array],
    parts: int = _MAX_PARTS,
) -> Float[Array, "*b c"]:
    """Reduce the last axis but one; a CPU first combines up to `parts` parts elementwise."""

    def in_parts(x: Array) -> Array:
        rows = x.shape[-2]
        count = max(1, min(parts, rows // _MIN_ROWS))
        length = rows // count
        pieces = [x[..., part * length : (part + 1) * length, :] for part in range(count)]
        joined = reduction(lax.optimization_barrier(reduce(combine, pieces)), axis=-2)
        rest = x[..., count * length :, :]
        return combine(joined, reduction(rest, axis=-2)) if rest.shape[-2] else joined

    return lax.platform_dependent(x, cpu=in_parts, default=lambda x: reduction(x, axis=-2))
