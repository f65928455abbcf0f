import itertools
import os
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from elbow_jax import ops
from elbow_jax.ops.cpu.cores import available_cores
from elbow_jax.ops.padding import resolve_pads
from tests.support import tolerances
from tests.support.random_networks import relative_error

CASES = list(itertools.product((1, 2, 3, 5, 7), (1, 2), ("same", "symmetric")))


def arrays(*shapes: tuple[int, ...]) -> list[jax.Array]:
    generator = np.random.default_rng(0)
    return [jnp.asarray(generator.standard_normal(shape, np.float32)) for shape in shapes]


def oracle(x, kernel, stride, padding):
    size = kernel.shape[0]
    pads = "SAME" if padding == "same" else [(size // 2, size // 2)] * 2
    return lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        pads,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1] // kernel.shape[2],
    )


def assert_same_value_and_gradients(operation, x, kernel, stride, padding):
    @jax.jit
    def both(x, kernel):
        want, pullback = jax.vjp(lambda x, k: oracle(x, k, stride, padding), x, kernel)
        have, own_pullback = jax.vjp(lambda x, k: operation(x, k, stride, padding), x, kernel)
        cotangent = jnp.cos(jnp.arange(want.size, dtype=jnp.float32)).reshape(want.shape)
        return (want, *pullback(cotangent)), (have, *own_pullback(cotangent))

    for want, have in zip(*both(x, kernel), strict=True):
        assert relative_error(have, want) < tolerances.LOWERING


@pytest.mark.parametrize(("kernel_size", "stride", "padding"), CASES)
def test_depthwise_convolution_and_its_gradients_are_those_of_lax(kernel_size, stride, padding):
    x, kernel = arrays((2, 11, 14, 6), (kernel_size, kernel_size, 1, 6))
    assert_same_value_and_gradients(ops.depthwise_convolution, x, kernel, stride, padding)


@pytest.mark.parametrize("channels", [1, 20])
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), CASES)
def test_convolution_and_its_gradients_are_those_of_lax(kernel_size, stride, padding, channels):
    x, kernel = arrays((2, 11, 14, channels), (kernel_size, kernel_size, channels, 5))
    assert_same_value_and_gradients(ops.convolution, x, kernel, stride, padding)


@pytest.mark.parametrize("stride", [3, 4])
def test_strides_beyond_two_are_those_of_lax(stride):
    x, kernel, depthwise = arrays((1, 13, 16, 20), (5, 5, 20, 4), (5, 5, 1, 20))
    assert_same_value_and_gradients(ops.convolution, x, kernel, stride, "symmetric")
    assert_same_value_and_gradients(ops.depthwise_convolution, x, depthwise, stride, "same")


@pytest.mark.parametrize(("size", "stride", "channels"), [(7, 1, 130), (3, 2, 700)])
def test_depthwise_gradients_by_several_blocks_of_channels_are_those_of_lax(size, stride, channels):
    x, kernel = arrays((2, 9, 8, channels), (size, size, 1, channels))
    assert_same_value_and_gradients(ops.depthwise_convolution, x, kernel, stride, "symmetric")


@pytest.mark.parametrize("c_out", [24, 48])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_to_more_channels_and_its_gradients_are_those_of_lax(stride, c_out):
    x, kernel = arrays((2, 9, 8, 20), (3, 3, 20, c_out))
    assert_same_value_and_gradients(ops.convolution, x, kernel, stride, "symmetric")


@pytest.mark.parametrize("size", [2, 4])
def test_convolution_over_disjoint_patches_drops_what_fills_none(size):
    x, kernel = arrays((2, 11, 14, 3), (size, size, 3, 5))
    have = ops.convolution(x, kernel, size, "valid")
    want = lax.conv_general_dilated(
        x, kernel, (size, size), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert relative_error(have, want) < tolerances.LOWERING


def test_pointwise_convolution_and_its_gradients_are_those_of_lax():
    def pointwise(x, kernel, stride, padding):
        del stride, padding
        return ops.pointwise_convolution(x, kernel[0, 0])

    x, kernel = arrays((2, 5, 6, 7), (1, 1, 7, 9))
    assert_same_value_and_gradients(pointwise, x, kernel, 1, "symmetric")


@pytest.mark.parametrize("size", range(1, 13))
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_is_that_of_lax(size, kernel_size, stride):
    want = lax.padtype_to_pads((size, 8), (kernel_size,) * 2, (stride,) * 2, "SAME")
    assert resolve_pads(size, 8, kernel_size, stride, "same") == tuple(want)


def test_bfloat16_sums_in_float32():
    x, kernel = (jnp.asarray(array, jnp.bfloat16) for array in arrays((1, 9, 9, 8), (7, 7, 1, 8)))
    have = ops.depthwise_convolution(x, kernel)
    want = ops.depthwise_convolution(x.astype(jnp.float32), kernel.astype(jnp.float32))
    assert have.dtype == jnp.bfloat16
    assert relative_error(have.astype(jnp.float32), want) < 0.004  # half a step of bfloat16


@pytest.mark.parametrize("operation", [ops.depthwise_convolution, ops.convolution])
def test_vmap_over_images_is_a_batch(operation):
    x, kernel = arrays((3, 8, 8, 20), (3, 3, 1 if "depth" in operation.__name__ else 20, 20))
    one_by_one = jax.vmap(lambda image: operation(image[None], kernel)[0])(x)
    assert relative_error(one_by_one, operation(x, kernel)) < tolerances.LOWERING


def test_an_accelerator_gets_the_convolutions_of_lax():
    def loss(x, kernel, depthwise):
        return ops.depthwise_convolution(ops.convolution(x, kernel), depthwise).sum()

    arguments = arrays((1, 8, 8, 20), (3, 3, 20, 20), (3, 3, 1, 20))
    traced = jax.jit(jax.value_and_grad(loss, (0, 1, 2))).trace(*arguments)
    gpu, cpu = (
        traced.lower(lowering_platforms=(platform,)).as_text() for platform in ("cuda", "cpu")
    )
    assert gpu.count("stablehlo.convolution") == 6  # forward and two gradients of each
    assert "feature_group_count = 20" in gpu
    assert "feature_group_count = 20" not in cpu


SHARDED = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from elbow_jax import ops

def loss(x, kernel, depthwise):
    return (ops.depthwise_convolution(ops.convolution(x, kernel), depthwise) ** 2).sum()

generator = np.random.default_rng(0)
shapes = ((4, 8, 8, 20), (3, 3, 20, 20), (3, 3, 1, 20))
arrays = [generator.standard_normal(shape).astype(np.float32) for shape in shapes]
step = jax.jit(jax.value_and_grad(loss, (0, 1, 2)))
whole = step(*arrays)
mesh = Mesh(np.array(jax.devices()), ("data",))
arrays[0] = jax.device_put(arrays[0], NamedSharding(mesh, PartitionSpec("data")))
assert len(arrays[0].sharding.device_set) == 2
for one, two in zip(jax.tree.leaves(whole), jax.tree.leaves(step(*arrays))):
    one, two = np.asarray(one), np.asarray(two)
    np.testing.assert_allclose(two, one, atol=1e-5 * np.abs(one).max())
"""


def test_a_batch_on_two_devices_gives_the_same():
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "2"}
    subprocess.run([sys.executable, "-c", SHARDED], env=environment, check=True)


def test_gradient_of_a_depthwise_kernel_is_one_kernel_for_each_core():
    x, kernel = arrays((2, 9, 9, 8), (3, 3, 1, 8))
    gradient = jax.grad(lambda kernel, x: jnp.square(ops.depthwise_convolution(x, kernel)).sum())
    text = jax.jit(gradient).lower(kernel, x).compile().as_text() or ""
    calls = [line for line in text.splitlines() if "to_apply=%_sums_over_rows" in line]
    assert len(calls) == min(available_cores(), 4)
    assert all('xla_cpu_small_call="true"' in call for call in calls)


@pytest.mark.parametrize("stride", [1, 2])
def test_epilogue_of_a_depthwise_convolution_shares_its_pass_and_has_its_gradients(stride):
    x, kernel, scale = arrays((2, 11, 14, 6), (3, 3, 1, 6), (1, 1, 1, 6))

    def fused(x, kernel, scale):
        return ops.depthwise_convolution(
            x, kernel, stride, epilogue=lambda out: nn.hard_swish(out * scale)
        )

    def separate(x, kernel, scale):
        return nn.hard_swish(ops.depthwise_convolution(x, kernel, stride) * scale)

    text = jax.jit(fused).lower(x, kernel, scale).compile().as_text() or ""
    _, _, body = text.partition("\n%with_epilogue")
    assert body.partition("\n}")[0].count(" fusion(") == 1
    assert " call(" not in body.partition("\n}")[0]
    for index in range(3):
        have, want = (
            jax.grad(lambda *given, f=f: jnp.square(f(*given)).sum(), index)(x, kernel, scale)
            for f in (fused, separate)
        )
        assert relative_error(have, want) < tolerances.LOWERING
    assert relative_error(fused(x, kernel, scale), separate(x, kernel, scale)) < tolerances.LOWERING


def test_an_accelerator_may_inline_an_epilogue():
    def fused(x, kernel):
        return ops.depthwise_convolution(x, kernel, epilogue=nn.relu)

    traced = jax.jit(fused).trace(*arrays((1, 8, 8, 6), (3, 3, 1, 6)))
    gpu, cpu = (
        traced.lower(lowering_platforms=(platform,)).as_text() for platform in ("cuda", "cpu")
    )
    assert "inlineable" not in gpu
    assert 'inlineable = "false"' in cpu


@pytest.fixture
def on_an_accelerator(monkeypatch):
    """Have `platform_dependent` choose the default form, which a CPU can run too."""
    monkeypatch.setattr(lax, "platform_dependent", lambda *given, default, **_: default(*given))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_an_accelerators_depthwise_gradients_are_those_of_lax(on_an_accelerator, stride, padding):
    x, kernel = arrays((2, 11, 14, 6), (5, 5, 1, 6))
    assert_same_value_and_gradients(ops.depthwise_convolution, x, kernel, stride, padding)


def test_an_accelerators_compiler_folds_the_padding_into_the_convolutions(on_an_accelerator):
    def loss(x, kernel):
        return jnp.square(ops.depthwise_convolution(nn.relu(x), kernel)).sum()

    arguments = arrays((2, 12, 12, 16), (7, 7, 1, 16))
    text = jax.jit(jax.grad(loss, (0, 1))).lower(*arguments).compile().as_text() or ""
    assert text.count(" convolution(") == 3  # forward and two gradients
    assert " pad(" not in text
    assert " slice(" not in text


@pytest.mark.parametrize("c_out", [24, 48])
def test_a_cotangent_is_computed_once_for_both_gradients_of_a_convolution(c_out):
    x, kernel, cotangent = arrays((2, 9, 9, 20), (3, 3, 20, c_out), (2, 9, 9, c_out))

    def gradients(x, kernel, cotangent):
        return jax.vjp(ops.convolution, x, kernel)[1](jnp.floor(cotangent))

    text = jax.jit(gradients).lower(x, kernel, cotangent).compile().as_text() or ""
    assert text.count(" floor(") == 1


def test_sum_of_a_depthwise_convolution_is_computed_once_for_all_its_consumers():
    x, kernel = arrays((2, 9, 9, 8), (3, 3, 1, 8))

    def statistics(x, kernel):
        y = ops.depthwise_convolution(x, kernel)
        return y.mean(), jnp.square(y).mean(), y + 1

    text = jax.jit(statistics).lower(x, kernel).compile().as_text() or ""
    assert text.count(" call(") == 1
    _, _, body = text.partition("\n%depthwise")
    assert body.partition("\n}")[0].count(" fusion(") == 1
