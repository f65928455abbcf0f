import re
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax.traverse_util import unflatten_dict
from timm.layers.cbam import CbamModule
from timm.layers.norm_act import BatchNormAct2d
from timm.models._efficientnet_blocks import (
    ConvBnAct,
    DepthwiseSeparableConv,
    EdgeResidual,
    InvertedResidual,
    SqueezeExcite,
)
from timm.models.convnext import ConvNeXtBlock

from elbow_jax import ops
from elbow_jax.models import convnext, efficientnetv2, layers, mobilenetv3
from elbow_jax.models.cbam import CBAM
from elbow_jax.models.layers import (
    BatchNorm,
    ConvNorm,
    Convolution,
    DropPath,
    LayerNorm,
    divisible,
    fan_out_normal,
)
from elbow_jax.models.layers import SqueezeExcite as OwnSqueezeExcite
from elbow_jax.ops.blocks import SAVED
from elbow_jax.porting import layouts
from tests.support import tolerances
from tests.support.random_networks import (
    numpy_state,
    random_images,
    randomise,
    relative_error,
    to_nchw,
)


def feature_map(channels: int, size: int = 10, seed: int = 0) -> np.ndarray:
    kernel = np.random.default_rng(seed).standard_normal((1, channels), np.float32)
    return random_images(3, size, size + 3, seed) @ kernel


def variables_of(network: torch.nn.Module, names: dict[str, str]) -> dict[str, Any]:
    """Variables of one layer or block from torch, by a table of module names like porting's."""
    flat = {}
    state = numpy_state(network)
    for ours, theirs in names.items():
        for leaf, torch_leaf in layouts.LEAVES.items():
            tensor = state.get(f"{theirs}.{torch_leaf}".lstrip("."))
            if tensor is None or (
                torch_leaf == "weight" and (leaf == "kernel") != (tensor.ndim > 1)
            ):
                continue
            axes = (2, 3, 1, 0) if tensor.ndim == 4 else tuple(range(tensor.ndim))[::-1]
            collection = "batch_stats" if leaf in ("mean", "var") else "params"
            path = (collection, *filter(None, ours.split("/")), leaf)
            flat[path] = jnp.asarray(np.transpose(tensor, axes))
    return unflatten_dict(flat)


def assert_same(layer: nn.Module, variables: Any, theirs: torch.nn.Module, x: np.ndarray, *inputs):
    """The output of torch in float64, in evaluation and in training mode."""
    theirs.double()
    for train in (False, True):
        theirs.train(train)
        with torch.no_grad():
            want = theirs(to_nchw(x).double()).permute(0, 2, 3, 1)
        have, _ = layer.apply(variables, jnp.asarray(x), *inputs, train, mutable=["batch_stats"])
        have = have[0] if isinstance(have, tuple) else have
        assert relative_error(have, want) < tolerances.LAYER


CBAM_NAMES = {
    "channel/reduce": "channel.fc1",
    "channel/expand": "channel.fc2",
    "spatial/conv/conv": "spatial.conv.conv",
    "spatial/conv/norm": "spatial.conv.bn",
}


def test_cbam_is_timms():
    x = feature_map(32)
    theirs = randomise(CbamModule(32), to_nchw(x))
    assert_same(CBAM(), variables_of(theirs, CBAM_NAMES), theirs, x)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_convolution_with_norm_and_activation_is_timms(stride, padding):
    x = feature_map(5)
    theirs = ConvBnAct(
        5, 8, 3, stride, pad_type="same" if padding == "same" else "", act_layer=torch.nn.SiLU
    )
    randomise(theirs, to_nchw(x))
    own = ConvNorm(8, 3, stride, padding, activation=nn.silu)
    assert_same(own, variables_of(theirs, {"conv": "conv", "norm": "bn1"}), theirs, x)


@pytest.mark.parametrize(
    ("gates", "own_gates"),
    [
        ((torch.nn.ReLU, torch.nn.Hardsigmoid), (nn.relu, nn.hard_sigmoid)),
        ((torch.nn.SiLU, torch.nn.Sigmoid), (nn.silu, nn.sigmoid)),
    ],
)
def test_squeeze_and_excitation_is_timms(gates, own_gates):
    x = feature_map(16)
    theirs = SqueezeExcite(16, act_layer=gates[0], gate_layer=gates[1])
    randomise(theirs, to_nchw(x))
    variables = variables_of(theirs, {"reduce": "conv_reduce", "expand": "conv_expand"})
    have = OwnSqueezeExcite(4, *own_gates).apply(variables, jnp.asarray(x))
    want = theirs(to_nchw(x)).permute(0, 2, 3, 1)
    assert relative_error(have, want) < tolerances.LAYER


def test_layer_norm_is_torchs():
    x = 3 * feature_map(24) + 7
    theirs = randomise(torch.nn.LayerNorm(24, eps=1e-6), torch.from_numpy(x))
    have = LayerNorm().apply(variables_of(theirs, {"": ""}), jnp.asarray(x))
    assert relative_error(have, theirs.double()(torch.from_numpy(x).double())) < tolerances.LAYER


def test_batch_norm_in_training_gives_torchs_output_and_the_biased_variance():
    x = 3 * feature_map(6) + 1
    theirs = randomise(BatchNormAct2d(6, apply_act=False), to_nchw(0.8 * x + 0.1))
    variables = variables_of(theirs, {"": ""})
    assert_same(BatchNorm(6), variables, theirs, x)  # the last pass has moved torch's statistics
    _, updated = BatchNorm(6).apply(variables, jnp.asarray(x), True, mutable=["batch_stats"])
    count = x.size // x.shape[-1]
    before, after = variables["batch_stats"], numpy_state(theirs)
    unbiased = (after["running_var"] - 0.9 * before["var"]) / 0.1
    want = 0.9 * before["var"] + 0.1 * unbiased * (count - 1) / count
    assert relative_error(updated["batch_stats"]["mean"], after["running_mean"]) < tolerances.LAYER
    assert relative_error(updated["batch_stats"]["var"], want) < tolerances.LAYER


def test_batch_norm_holds_where_the_mean_dwarfs_the_deviation():
    x = jnp.asarray(feature_map(6) + 1000)
    theirs = BatchNormAct2d(6, apply_act=False).double().train()
    want = theirs(to_nchw(np.asarray(x)).double()).permute(0, 2, 3, 1)
    fresh = BatchNorm(6).init(jax.random.key(0), x, False)
    statistics = {"mean": jnp.full(6, 999.0), "var": jnp.ones(6)}
    variables = {"params": fresh["params"], "batch_stats": statistics}
    have, _ = BatchNorm(6).apply(variables, x, True, mutable=["batch_stats"])
    assert relative_error(have, want) < 1e-3  # x itself has three decimals


def test_convnext_block_is_timms():
    x = feature_map(16)
    theirs = randomise(ConvNeXtBlock(16), to_nchw(x))
    names = {"": "", "depthwise": "conv_dw", "norm": "norm", "expand": "mlp.fc1"}
    variables = variables_of(theirs, names | {"project": "mlp.fc2"})
    assert_same(convnext.Block(1e-6, False), variables, theirs, x, jnp.zeros(()))


@pytest.mark.parametrize(
    ("kind", "width", "stride"),
    [
        ("plain", 16, 1),
        ("fused", 16, 1),
        ("fused", 24, 2),
        ("depthwise", 16, 1),
        ("depthwise", 24, 2),
    ],
)
def test_efficientnetv2_block_is_timms(kind, width, stride):
    x = feature_map(16, size=9)
    norm = partial(torch.nn.BatchNorm2d, eps=1e-3)
    shared: dict[str, Any] = {"stride": stride, "pad_type": "same", "norm_layer": norm}
    shared["act_layer"] = torch.nn.SiLU
    if kind == "plain":
        theirs = ConvBnAct(16, width, 3, skip=True, **shared)
        names = {"conv/conv": "conv", "conv/norm": "bn1"}
    elif kind == "fused":
        theirs = EdgeResidual(16, width, 3, exp_ratio=4, **shared)
        names = layouts.FUSED
    else:
        shared["se_layer"] = partial(SqueezeExcite, rd_channels=4)
        theirs = InvertedResidual(16, width, 3, exp_ratio=4, **shared)
        names = layouts.INVERTED_RESIDUAL
    randomise(theirs, to_nchw(x))
    shape = efficientnetv2.StageShape(kind, 1, width, stride, 4)
    own = efficientnetv2.Block(shape, stride, False, "same")
    assert_same(own, variables_of(theirs, dict(names)), theirs, x, jnp.zeros(()))


@pytest.mark.parametrize(
    "block",
    [
        mobilenetv3.Block(3, 16, 16, False, False, 1),
        mobilenetv3.Block(3, 48, 24, False, False, 2),
        mobilenetv3.Block(5, 64, 16, True, True, 1),
    ],
    ids=["separable", "plain", "squeezed"],
)
def test_mobilenetv3_block_is_timms(block):
    x = feature_map(16)
    activation = torch.nn.Hardswish if block.hard_swish else torch.nn.ReLU
    kind, names = DepthwiseSeparableConv, layouts.SEPARABLE
    options: dict[str, Any] = {}
    if block.expanded != 16:
        kind, names = InvertedResidual, layouts.INVERTED_RESIDUAL
        options = {"exp_ratio": block.expanded / 16}
    if block.squeeze:
        gates = {"force_act_layer": torch.nn.ReLU, "gate_layer": torch.nn.Hardsigmoid}
        options["se_layer"] = partial(SqueezeExcite, **gates)
    theirs = kind(
        16, block.features, block.kernel_size, block.stride, act_layer=activation, **options
    )
    randomise(theirs, to_nchw(x))
    own = mobilenetv3.InvertedResidual(block)
    assert_same(own, variables_of(theirs, dict(names)), theirs, x)


def test_drop_path_drops_whole_images_and_keeps_the_mean():
    x = jnp.ones((4000, 2, 2, 1))
    kept = DropPath().apply({}, x, 0.25, True, rngs={"dropout": jax.random.key(0)})
    of_image = np.asarray(kept).reshape(4000, 4)
    assert set(np.unique(of_image)) == {0.0, np.float32(1 / 0.75)}
    assert (of_image == of_image[:, :1]).all()
    assert abs(of_image.mean() - 1) < 0.05


def test_drop_path_does_nothing_in_evaluation():
    x = jnp.ones((4, 2, 2, 1))
    assert DropPath().apply({}, x, 0.9, False) is x


@pytest.mark.parametrize(
    ("shape", "variance"),
    [((3, 3, 8, 64), 2 / (9 * 64)), ((5, 5, 1, 400), 2 / 25), ((1, 1, 64, 300), 2 / 300)],
    ids=["ordinary", "depthwise", "pointwise"],
)
def test_initial_kernels_have_the_variance_of_their_fan_out(shape, variance):
    draws = fan_out_normal(jax.random.key(1), shape)
    assert abs(float(draws.var()) / variance - 1) < 0.05
    assert abs(float(draws.mean())) < 0.05 * variance**0.5


def test_initial_kernels_depend_on_the_key_alone():
    one, two, other = (fan_out_normal(jax.random.key(seed), (3, 3, 4, 8)) for seed in (0, 0, 1))
    old_style = fan_out_normal(jax.random.PRNGKey(0), (3, 3, 4, 8))
    assert (one == two).all()
    assert (one == old_style).all()
    assert not (one == other).any()


def test_widths_round_as_mobilenets():
    widths = [18, 30, 60, 120, 168, 240]
    assert [divisible(width) for width in widths] == [24, 32, 64, 120, 168, 240]


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("settings", [{}, {"depthwise": True}, {"use_bias": True}])
def test_epilogue_of_a_convolution_is_applied_to_its_result(kernel_size, settings):
    layer = Convolution(4, kernel_size, **settings)
    x = jnp.asarray(feature_map(4))
    variables = layer.init(jax.random.key(0), x)
    plain: Any = layer.apply(variables, x)
    want = jnp.tanh(plain)
    assert relative_error(layer.apply(variables, x, jnp.tanh), want) < tolerances.LOWERING


def test_inference_form_of_batch_norm_is_its_call_without_training():
    x = jnp.asarray(3 * feature_map(6) + 1)
    fresh = BatchNorm(6).init(jax.random.key(0), x, False)
    statistics = {"mean": jnp.linspace(-1.0, 2.0, 6), "var": jnp.linspace(0.5, 3.0, 6)}
    variables = {"params": fresh["params"], "batch_stats": statistics}
    norm = BatchNorm(6).bind(variables)
    assert (norm.inference_form()(x) == norm(x, False)).all()


NOT_IN_A_NETWORK = {"then", "FixedBatchNorm", "_norm_variables", "keep", "unroll"}


@pytest.mark.parametrize("module", sorted(Path(layers.__file__).parent.glob("*.py")), ids=str)
def test_a_network_is_written_in_flax_and_the_names_of_ops_alone(module):
    text = module.read_text()
    assert not NOT_IN_A_NETWORK & set(re.findall(r"\w+", text))
    imported = re.findall(r"^ *(?:from|import) (elbow_jax\S*|\w+)", text, re.MULTILINE)
    allowed = {"elbow_jax", "elbow_jax.ops", "flax", "jax", "jaxtyping", "math"}
    allowed |= {"collections", "dataclasses", "functools", "typing"}
    assert {name for name in imported if not name.startswith("elbow_jax.models")} <= allowed


def test_a_block_saves_every_array_that_a_layer_names():
    sources = [*Path(layers.__file__).parent.glob("*.py"), *Path(ops.__file__).parent.glob("*.py")]
    named = re.findall(
        r'checkpoint_name\((?:.|\n)*?"(\w+)"\)', "".join(map(Path.read_text, sources))
    )
    assert set(named) == set(SAVED)
