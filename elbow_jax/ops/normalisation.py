"""Layer and batch normalisation with gradients written by hand.

Left to itself, differentiation keeps an array for each factor of the chain rule; these keep what
went in and compute the rest anew, which on every platform is fewer passes over memory.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from elbow_jax.ops.reductions import channel_mean, pixel_sums
from elbow_jax.ops.rematerialisation import keep


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
    mean = keep(channel_mean(x))
    away = x.astype(jnp.float32) - mean
    rate = keep(lax.rsqrt(channel_mean(jnp.square(away)) + epsilon))
    out = away * rate * _last(scale, x) + _last(bias, x)
    return out, (x, mean, rate, scale)


def _layer_norm_backward(
    epsilon: float, residuals: tuple[Array, ...], cotangent: Array
) -> tuple[Array, Array, Array]:
    del epsilon
    x, mean, rate, scale = residuals
    normal = (x.astype(jnp.float32) - mean) * rate
    scaled = cotangent * _last(scale, x)
    along = channel_mean(scaled * normal)
    gradient = rate * (scaled - channel_mean(scaled) - normal * along)
    return gradient.astype(x.dtype), pixel_sums(cotangent * normal), pixel_sums(cotangent)


layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def batch_norm(
    x: Float[Array, "*n c"],
    scale: Float[Array, "c"],
    bias: Float[Array, "c"],
    about: Float[Array, "c"],
    epsilon: float,
) -> tuple[Float[Array, "*n c"], Float[Array, "c"], Float[Array, "c"]]:
    """Normalise each channel over everything else by its batch's mean and biased variance.

    Ioffe & Szegedy, 2015, arXiv:1502.03167. Returns the result in float32, the mean and the
    variance; no gradient flows through the last two, nor to `about`. The variance is taken about
    `about`, a guess of the mean, in one pass: the nearer the guess, the more of it survives
    rounding.
    """
    return _batch_norm_forward(x, scale, bias, about, epsilon)[0]


def _batch_norm_forward(
    x: Array, scale: Array, bias: Array, about: Array, epsilon: float
) -> tuple[tuple[Array, Array, Array], tuple[Array, ...]]:
    count = x.size // x.shape[-1]
    wide = x.astype(jnp.float32)
    away = wide - _last(about, x)
    shift = keep(pixel_sums(away) / count)
    spread = pixel_sums(jnp.square(away)) / count - jnp.square(shift)
    spread = keep(jnp.maximum(spread, 0.0))
    mean, rate = about + shift, lax.rsqrt(spread + epsilon)
    out = (wide - _last(mean, x)) * _last(scale * rate, x) + _last(bias, x)
    return (out, mean, spread), (x, scale, mean, rate, about)


def _batch_norm_backward(
    epsilon: float, residuals: tuple[Array, ...], cotangents: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array, Array]:
    del epsilon
    x, scale, mean, rate, about = residuals
    cotangent = cotangents[0]
    count = x.size // x.shape[-1]
    normal = (x.astype(jnp.float32) - _last(mean, x)) * _last(rate, x)
    total, along = pixel_sums(cotangent), pixel_sums(cotangent * normal)
    gradient = cotangent - _last(total / count, x) - normal * _last(along / count, x)
    gradient = gradient * _last(scale * rate, x)
    return gradient.astype(x.dtype), along, total, jnp.zeros_like(about)


batch_norm.defvjp(_batch_norm_forward, _batch_norm_backward)


def _last(vector: Array, like: Array) -> Array:
    return vector.reshape((1,) * (like.ndim - 1) + (-1,))
