"""GELU and SiLU, whose gradients are computed from the input alone."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


@jax.custom_vjp
def gelu(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The Gaussian error linear unit, x * Phi(x) (Hendrycks & Gimpel, 2016, arXiv:1606.08415)."""
    return (x * _normal_cumulative(x.astype(jnp.float32))).astype(x.dtype)


def _gelu_forward(x: Array) -> tuple[Array, Array]:
    return gelu(x), x


def _gelu_backward(x: Array, cotangent: Array) -> tuple[Array]:
    wide = x.astype(jnp.float32)
    density = jnp.exp(-0.5 * jnp.square(wide)) * (2.0 * jnp.pi) ** -0.5
    # By the complement: where the forward pass is recomputed, XLA would otherwise share erf between
    # both passes through an array in memory.
    slope = 1.0 - _normal_cumulative(-wide) + wide * density
    return ((cotangent * slope).astype(x.dtype),)


def _normal_cumulative(x: Array) -> Array:
    # erfc would be slower: it branches on the magnitude, and XLA evaluates both branches.
    return 0.5 * (1.0 + lax.erf(x * 0.5**0.5))


gelu.defvjp(_gelu_forward, _gelu_backward)


@jax.custom_vjp
def silu(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """The sigmoid linear unit, x * sigmoid(x) (Hendrycks & Gimpel, 2016, arXiv:1606.08415)."""
    return x * jax.nn.sigmoid(x)


def _silu_forward(x: Array) -> tuple[Array, Array]:
    return silu(x), x


def _silu_backward(x: Array, cotangent: Array) -> tuple[Array]:
    # By the complement, for the same reason as in GELU.
    complement = jax.nn.sigmoid(-x)
    return (cotangent * (1.0 - complement) * (1.0 + x * complement),)


silu.defvjp(_silu_forward, _silu_backward)
