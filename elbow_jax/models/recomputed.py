"""Functions whose gradients are computed anew from what went in.

Left to itself, differentiation keeps an array for each factor of the chain rule: for a GELU and a
layer normalisation these are passes over memory in the forward pass and again in the backward one,
which cost more than the arithmetic.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array


@jax.custom_vjp
def gelu(x: Array) -> Array:
    """The exact Gaussian error linear unit, x * Phi(x) (Hendrycks & Gimpel, 2016)."""
    return (x * _normal_cumulative(x.astype(jnp.float32))).astype(x.dtype)


def _gelu_forward(x: Array) -> tuple[Array, Array]:
    return gelu(x), x


def _gelu_backward(x: Array, cotangent: Array) -> tuple[Array]:
    wide = x.astype(jnp.float32)
    density = jnp.exp(-0.5 * jnp.square(wide)) * (2.0 * jnp.pi) ** -0.5
    slope = _normal_cumulative(wide) + wide * density
    return ((cotangent * slope).astype(x.dtype),)


def _normal_cumulative(x: Array) -> Array:
    # Not by erfc: it branches on the magnitude, and XLA evaluates both branches.
    return 0.5 * (1.0 + lax.erf(x * 0.5**0.5))


gelu.defvjp(_gelu_forward, _gelu_backward)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def layer_norm(x: Array, scale: Array, bias: Array, epsilon: float) -> Array:
    """Normalise the last axis by its mean and biased variance, in float32; scale and shift."""
    return _layer_norm_forward(x, scale, bias, epsilon)[0]


def _layer_norm_forward(
    x: Array, scale: Array, bias: Array, epsilon: float
) -> tuple[Array, tuple[Array, ...]]:
    mean = x.astype(jnp.float32).mean(-1, keepdims=True)
    away = x.astype(jnp.float32) - mean
    rate = lax.rsqrt(jnp.square(away).mean(-1, keepdims=True) + epsilon)
    out = away * rate * _last(scale, x) + _last(bias, x)
    return out, (x, mean, rate, scale)


def _layer_norm_backward(
    epsilon: float, residuals: tuple[Array, ...], cotangent: Array
) -> tuple[Array, Array, Array]:
    del epsilon
    x, mean, rate, scale = residuals
    normal = (x.astype(jnp.float32) - mean) * rate
    scaled = cotangent * _last(scale, x)
    along = (scaled * normal).mean(-1, keepdims=True)
    gradient = rate * (scaled - scaled.mean(-1, keepdims=True) - normal * along)
    others = tuple(range(x.ndim - 1))
    return gradient.astype(x.dtype), (cotangent * normal).sum(others), cotangent.sum(others)


def _last(vector: Array, like: Array) -> Array:
    return vector.reshape((1,) * (like.ndim - 1) + (-1,))


layer_norm.defvjp(_layer_norm_forward, _layer_norm_backward)
