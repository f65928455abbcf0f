"""Layer and batch normalisation with hand-written gradients.

Automatic differentiation saves an array for each factor of the chain rule. These gradients save the
input and recompute the rest, which takes fewer passes over memory on every platform.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from elbow_jax.ops.reductions import channel_mean, pixel_sums


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def layer_norm(
    x: Float[Array, "*n c"], scale: Float[Array, "c"], bias: Float[Array, "c"], epsilon: float
) -> Float[Array, "*n c"]:
    """Normalise the last axis by its mean and biased variance; scale and shift. Float32 out.

    Ba et al., 2016, arXiv:1607.06450.
    """
    return _layer_norm_forward(x, scale, bias, epsilon)[0]


def _layer_norm_forward(
    x: Array, scale: Array, bias: Array, epsilon: float
) -> tuple[Array, tuple[Array, ...]]:
    mean = checkpoint_name(channel_mean(x), "statistic")
    centred = x.astype(jnp.float32) - mean
    variance = channel_mean(jnp.square(centred))
    rate = checkpoint_name(lax.rsqrt(variance + epsilon), "statistic")
    out = centred * rate * _per_channel(scale, x) + _per_channel(bias, x)
    return out, (x, mean, rate, scale)


def _layer_norm_backward(
    epsilon: float, residuals: tuple[Array, ...], cotangent: Array
) -> tuple[Array, Array, Array]:
    del epsilon
    x, mean, rate, scale = residuals
    normal = (x.astype(jnp.float32) - mean) * rate
    scaled = cotangent * _per_channel(scale, x)
    projection = channel_mean(scaled * normal)
    gradient = rate * (scaled - channel_mean(scaled) - normal * projection)
    return gradient.astype(x.dtype), pixel_sums(cotangent * normal), pixel_sums(cotangent)


layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def batch_norm(
    x: Float[Array, "*n c"],
    scale: Float[Array, "c"],
    bias: Float[Array, "c"],
    shift: Float[Array, "c"],
    epsilon: float,
) -> tuple[Float[Array, "*n c"], Float[Array, "c"], Float[Array, "c"]]:
    """Normalise each channel by the mean and biased variance of its batch.

    Ioffe & Szegedy, 2015, arXiv:1502.03167. Returns the result in float32, the mean and the
    variance. `shift` is an estimate of the mean: mean and variance are computed in one pass over
    `x - shift`, and the nearer the estimate, the less is lost to rounding. No gradient flows
    through mean and variance, nor to `shift`.
    """
    return _batch_norm_forward(x, scale, bias, shift, epsilon)[0]


def _batch_norm_forward(
    x: Array, scale: Array, bias: Array, shift: Array, epsilon: float
) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    count = x.size // x.shape[-1]
    wide = x.astype(jnp.float32)
    shifted = wide - _per_channel(shift, x)
    shifted_mean = checkpoint_name(pixel_sums(shifted) / count, "statistic")
    variance = pixel_sums(jnp.square(shifted)) / count - jnp.square(shifted_mean)
    variance = checkpoint_name(jnp.maximum(variance, 0.0), "statistic")
    mean, rate = shift + shifted_mean, lax.rsqrt(variance + epsilon)
    out = (wide - _per_channel(mean, x)) * _per_channel(scale * rate, x) + _per_channel(bias, x)
    return (out, mean, variance), (x, scale, mean, rate, shift)


def _batch_norm_backward(
    epsilon: float, residuals: tuple[Array, ...], cotangents: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array, Array]:
    del epsilon
    x, scale, mean, rate, shift = residuals
    cotangent = cotangents[0]
    count = x.size // x.shape[-1]
    normal = (x.astype(jnp.float32) - _per_channel(mean, x)) * _per_channel(rate, x)
    bias_gradient, scale_gradient = pixel_sums(cotangent), pixel_sums(cotangent * normal)
    gradient = (
        cotangent
        - _per_channel(bias_gradient / count, x)
        - normal * _per_channel(scale_gradient / count, x)
    )
    gradient = gradient * _per_channel(scale * rate, x)
    return gradient.astype(x.dtype), scale_gradient, bias_gradient, jnp.zeros_like(shift)


batch_norm.defvjp(_batch_norm_forward, _batch_norm_backward)


def _per_channel(vector: Array, like: Array) -> Array:
    return vector.reshape((1,) * (like.ndim - 1) + (-1,))
