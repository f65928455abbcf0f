"""Gradients written by hand, against differentiation of the plain expressions."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from elbow_jax import ops
from elbow_jax.ops import (
    add_bias,
    channel_max,
    channel_mean,
    gelu,
    layer_norm,
    pixel_sums,
    scale_channels,
    scale_pixels,
    silu,
    spatial_max,
    spatial_mean,
)
from elbow_jax.ops.cpu.products import _equal_parts, matmul, transposed_matmul
from tests.support import tolerances
from tests.support.random_networks import relative_error

EPSILON = 1e-3
batch_norm: Any = ops.batch_norm  # pyright does not see through custom_vjp


def arrays(*shapes: tuple[int, ...]) -> list[jax.Array]:
    generator = np.random.default_rng(0)
    return [jnp.asarray(generator.standard_normal(shape, np.float32)) for shape in shapes]


def plain_layer_norm(x, scale, bias):
    centred = x - x.mean(-1, keepdims=True)
    normal = centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + EPSILON)
    return normal * scale[None, None, None] + bias[None, None, None]


def plain_batch_norm(x, scale, bias):
    centred = x - x.mean((0, 1, 2), keepdims=True)
    normal = centred * lax.rsqrt(jnp.square(centred).mean((0, 1, 2), keepdims=True) + EPSILON)
    return normal * scale[None, None, None] + bias[None, None, None]


def plain_transposed(rows, others):
    return rows.T @ others


PAIRS = {
    "pixel_sums": (pixel_sums, lambda x: x.sum((0, 1, 2)), [(3, 5, 6, 7)]),
    "spatial_mean": (spatial_mean, lambda x: x.mean((1, 2), keepdims=True), [(3, 5, 6, 7)]),
    "spatial_max": (spatial_max, lambda x: x.max((1, 2), keepdims=True), [(3, 5, 6, 7)]),
    "channel_mean": (channel_mean, lambda x: x.mean(-1, keepdims=True), [(3, 5, 6, 7)]),
    "channel_mean of slices": (channel_mean, lambda x: x.mean(-1, keepdims=True), [(2, 3, 200)]),
    "channel_max": (channel_max, lambda x: x.max(-1, keepdims=True), [(3, 5, 6, 7)]),
    "channel_max of slices": (channel_max, lambda x: x.max(-1, keepdims=True), [(2, 3, 4, 200)]),
    "add_bias": (add_bias, lambda x, bias: x + bias[None, None, None], [(3, 5, 6, 7), (7,)]),
    "add_bias to a vector": (add_bias, lambda x, bias: x + bias[None], [(3, 7), (7,)]),
    "scale_channels": (scale_channels, lambda x, gate: x * gate, [(3, 5, 6, 7), (3, 1, 1, 7)]),
    "scale_pixels": (scale_pixels, lambda x, gate: x * gate, [(3, 5, 6, 7), (3, 5, 6, 1)]),
    "gelu": (gelu, lambda x: nn.gelu(x, approximate=False), [(4, 5)]),
    "silu": (silu, nn.silu, [(4, 5)]),
    "layer_norm": (
        lambda *given: layer_norm(*given, EPSILON),
        plain_layer_norm,
        [(3, 5, 6, 7), (7,), (7,)],
    ),
    "batch_norm": (
        lambda x, scale, bias: batch_norm(x, scale, bias, 0.1 * bias, EPSILON)[0],
        plain_batch_norm,
        [(3, 5, 6, 7), (7,), (7,)],
    ),
    "transposed, long by short": (transposed_matmul, plain_transposed, [(6, 9), (6, 5)]),
    "transposed, short by long": (transposed_matmul, plain_transposed, [(6, 5), (6, 9)]),
    "transposed, short by wide": (transposed_matmul, plain_transposed, [(6, 5), (6, 1100)]),
    "transposed, wide by short": (transposed_matmul, plain_transposed, [(6, 1100), (6, 5)]),
    "transposed, many rows": (transposed_matmul, plain_transposed, [(20000, 3), (20000, 2)]),
    "matmul": (matmul, lambda a, b: a @ b, [(6, 9), (9, 5)]),
    "matmul, many rows": (matmul, lambda a, b: a @ b, [(40000, 3), (3, 2)]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_value_and_gradients_are_those_of_the_plain_expression(name):
    own, plain, shapes = PAIRS[name]

    @jax.jit
    def both(*given):
        want, pullback = jax.vjp(plain, *given)
        have, own_pullback = jax.vjp(own, *given)
        cotangent = jnp.cos(jnp.arange(want.size, dtype=jnp.float32)).reshape(want.shape)
        return (want, *pullback(cotangent)), (have, *own_pullback(cotangent))

    for want, have in zip(*both(*arrays(*shapes)), strict=True):
        assert have.shape == want.shape
        assert relative_error(have, want) < tolerances.LOWERING


@pytest.mark.parametrize(("rows", "parts"), [(9, 1), (10, 1), (20, 2), (21, 3), (23, 1), (35, 5)])
def test_many_rows_are_cut_into_the_fewest_equal_parts(rows, parts):
    assert _equal_parts(rows, 10) == parts


def test_equal_maxima_share_the_gradient_evenly():
    x = jnp.asarray([[1.0, 3.0], [3.0, 2.0]])
    gradient = jax.grad(lambda x: spatial_max(x).sum())(x[None, :, :, None])
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[0.0, 0.5], [0.5, 0.0]])
    gradient = jax.grad(lambda x: channel_max(x).sum())(x.ravel()[None])
    np.testing.assert_array_equal(gradient, [[0.0, 0.5, 0.5, 0.0]])


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_gradient_of_silu_far_from_zero(size):
    x = size * jnp.linspace(-1.0, 1.0, 101)
    own, plain = (jax.grad(lambda x, f=f: f(x).sum())(x) for f in (silu, nn.silu))
    np.testing.assert_allclose(own, plain, atol=2e-6)


def test_no_gradient_flows_through_the_statistics_of_a_batch():
    x, scale, bias, shift = arrays((3, 5, 6, 7), (7,), (7,), (7,))

    def statistics(x, shift):
        _, mean, variance = batch_norm(x, scale, bias, shift, EPSILON)
        return (mean + variance).sum()

    for gradient in jax.grad(statistics, (0, 1))(x, shift):
        np.testing.assert_array_equal(gradient, jnp.zeros_like(gradient))


def test_variance_survives_a_mean_that_is_large_beside_it():
    x = 1000.0 + 0.01 * arrays((4, 8, 8, 3))[0]
    ones = jnp.ones(3)
    _, mean, variance = batch_norm(x, ones, 0 * ones, x[0, 0, 0], EPSILON)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=1e-3)


@pytest.mark.parametrize("far", [-40.0, -12.0, 12.0, 40.0])
def test_gelu_is_finite_far_from_zero(far):
    value, gradient = jax.value_and_grad(lambda x: gelu(x))(jnp.float32(far))
    assert float(value) == pytest.approx(max(far, 0.0))
    assert float(gradient) == pytest.approx(float(far > 0))


def test_half_precision_is_summed_in_float32():
    x, scale, bias = arrays((2, 64, 64, 3), (3,), (3,))
    half = x.astype(jnp.bfloat16)
    assert pixel_sums(half).dtype == jnp.float32
    assert relative_error(pixel_sums(half), half.astype(jnp.float32).sum((0, 1, 2))) < 1e-5
    out, mean, _ = batch_norm(half, scale, bias, bias, EPSILON)
    assert (out.dtype, mean.dtype) == (jnp.float32, jnp.float32)
    gradient = jax.grad(lambda x: batch_norm(x, scale, bias, bias, EPSILON)[0].sum())(half)
    assert gradient.dtype == jnp.bfloat16
