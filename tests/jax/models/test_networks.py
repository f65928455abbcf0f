"""Whole networks against their twins on timm, from random weights."""

import copy
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.modules.batchnorm import _BatchNorm

from elbow_jax import porting
from elbow_jax.models import BACKBONES, ModelConfig, build_model
from elbow_jax.models.convnext import Stage
from tests.support import tolerances
from tests.support.random_networks import (
    numpy_state,
    ported,
    random_images,
    random_twin,
    relative_error,
    to_nchw,
    to_nhwc,
)

STEMS = ("network.stem.0.weight", "network.conv_stem.weight")
SMALL_FUSION = ModelConfig(backbone="fusion", variant="small")
LONG = pytest.mark.slow


@cache
def compiled(config: ModelConfig) -> tuple[torch.nn.Module, Any, Any]:
    """A twin, and the Flax network that computes the same: its `apply`, compiled, and variables."""
    twin = random_twin(config)
    module, variables = ported(config, twin)
    return twin, jax.jit(module.apply), variables


def assert_parity(config: ModelConfig, image: np.ndarray) -> None:
    twin, apply, variables = compiled(config)
    logits, endpoints = apply(variables, image)
    with torch.no_grad():
        want, want_endpoints = twin(to_nchw(image))
    assert logits.shape == (len(image),)
    assert relative_error(logits, want) < tolerances.NETWORK
    assert relative_error(endpoints["features"], want_endpoints["features"]) < tolerances.NETWORK
    maps = [(endpoints, want_endpoints)]
    if config.backbone == "fusion":
        maps = [(endpoints[name], want_endpoints[name]) for name in BACKBONES]
    for have, want in maps:
        assert (
            relative_error(have["feature_map"], to_nhwc(want["feature_map"])) < tolerances.NETWORK
        )


@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        ("convnext_tiny", (224, 224)),
        ("efficientnetv2_s", (224, 224)),
        ("mobilenetv3_large", (224, 224)),
        ("mobilenetv3_large", (250, 250)),
        *(
            pytest.param(backbone, size, marks=LONG)
            for backbone in ("convnext_tiny", "efficientnetv2_s", "fusion")
            for size in ((250, 250), (384, 384))
        ),
        pytest.param("fusion", (224, 224), marks=LONG),
        pytest.param("mobilenetv3_large", (384, 384), marks=LONG),
    ],
)
def test_full_network_gives_the_features_and_logits_of_timm(backbone, size):
    assert_parity(ModelConfig(backbone=backbone), random_images(1, *size))


@pytest.mark.parametrize("size", [(32, 32), (61, 70)])
def test_small_networks_give_the_features_and_logits_of_timm(size):
    assert_parity(SMALL_FUSION, random_images(2, *size))


@pytest.mark.parametrize("backbone", ["efficientnetv2_s", "mobilenetv3_large"])
def test_torchvisions_convention_gives_its_padding_and_epsilon(backbone):
    config = ModelConfig(backbone=backbone, variant="small", convention="torchvision")
    assert_parity(config, random_images(2, 64, 64))


def test_unrolled_blocks_have_the_values_and_gradients_of_scanned_ones():
    """In a stage of three blocks of ConvNeXt."""
    stage = Stage(3, 16, layer_scale=0.5, downsample=True, drops=False, scan_blocks=True)
    images, rates = jnp.asarray(random_images(2, 24, 20)), jnp.zeros(3)
    params = stage.init(jax.random.key(0), images, rates, False)["params"]

    def value_and_gradient(scan_blocks: bool) -> Any:
        def total(params: Any) -> jax.Array:
            module = stage.clone(scan_blocks=scan_blocks)
            result: Any = module.apply({"params": params}, images, rates, True)
            return jnp.square(result).sum()

        return jax.jit(jax.value_and_grad(total))(params)

    scanned, unrolled = (jax.tree.leaves(value_and_gradient(scan)) for scan in (True, False))
    errors = [relative_error(*pair) for pair in zip(unrolled, scanned, strict=True)]
    assert len(errors) > 10
    assert max(errors) < tolerances.GRADIENT


def test_one_grey_channel_gives_what_three_equal_ones_give():
    """Of the torch network in colour, whose stems the grey one's sum."""
    twin = random_twin(replace(SMALL_FUSION, in_channels=3))
    state = {
        name: tensor.sum(1, keepdims=True) if name.endswith(STEMS) else tensor
        for name, tensor in numpy_state(twin).items()
    }
    _, apply, variables = compiled(SMALL_FUSION)
    variables = porting.from_torch(state, build_model(SMALL_FUSION), variables)
    image = random_images(2, 61, 70)
    with torch.no_grad():
        want, _ = twin(to_nchw(np.repeat(image, 3, axis=-1)))
    assert relative_error(apply(variables, image)[0], want) < tolerances.NETWORK


@pytest.mark.parametrize("backbone", ["convnext_tiny", "efficientnetv2_s"])
def test_bfloat16_keeps_the_features_and_gives_float32_logits(backbone):
    config = ModelConfig(backbone=backbone, variant="small")
    _, apply, variables = compiled(config)
    image = random_images(2, 64, 64)
    logits, endpoints = jax.jit(build_model(config, jnp.bfloat16).apply)(variables, image)
    assert logits.dtype == endpoints["features"].dtype == jnp.float32
    assert endpoints["feature_map"].dtype == jnp.bfloat16
    want = apply(variables, image)[1]["features"]
    off = jnp.linalg.norm(endpoints["features"] - want) / jnp.linalg.norm(want)
    assert off < tolerances.BFLOAT16


@pytest.mark.parametrize(
    ("backbone", "variant", "size"),
    [
        pytest.param("fusion", "small", 96, marks=LONG),
        ("mobilenetv3_large", "small", 64),
        *(pytest.param(backbone, "full", 96, marks=LONG) for backbone in (*BACKBONES, "fusion")),
    ],
)
def test_one_step_of_sgd_moves_loss_parameters_and_statistics_as_torch_does(
    backbone, variant, size
):
    config = ModelConfig(backbone=backbone, variant=variant, dropout=0.0, drop_path=0.0)
    twin = random_twin(config)
    module, variables = ported(config, twin)
    variables = jax.tree.map(jnp.asarray, variables)
    # Images for which neither network comes so near a kink or a tie that float32 falls on either
    # side of it; torch's own float32 does with every fourth draw.
    image, labels = random_images(4, size, size, seed=8), np.array([0, 1, 0, 1], np.float32)
    rate = 0.1

    @jax.jit
    def step(params):
        def mean_loss(params):
            (logits, _), updated = module.apply(
                {**variables, "params": params}, jnp.asarray(image), True, mutable=["batch_stats"]
            )
            return optax.sigmoid_binary_cross_entropy(logits, labels).mean(), updated

        (loss, updated), gradient = jax.value_and_grad(mean_loss, has_aux=True)(params)
        updates, _ = optax.sgd(rate).update(gradient, optax.sgd(rate).init(params))
        return loss, gradient, {"params": optax.apply_updates(params, updates), **updated}

    loss, gradient, after = step(variables["params"])
    theirs = torch_step(copy.deepcopy(twin), image, labels, rate)
    # In float64, for torch's own rounding is the larger part of the difference in float32.
    exact = torch_step(twin.double(), image.astype(np.float64), labels.astype(np.float64), rate)

    assert abs(float(loss) - theirs["loss"]) < tolerances.NETWORK * abs(theirs["loss"])
    gradients = porting.to_torch({"params": gradient}, module)
    assert gradients.keys() == exact["gradients"].keys()
    largest = max(np.abs(value).max() for value in exact["gradients"].values())
    moved = dict.fromkeys(exact["state"], 0.0)  # by how much a gradient may be off
    for name, want in exact["gradients"].items():
        scale = largest if variant == "full" else np.abs(want).max()
        moved[name] = tolerances.GRADIENT * scale + tolerances.GRADIENT_FLOOR * largest
        assert np.abs(gradients[name]).max() > 0, name
        assert np.abs(gradients[name] - want).max() <= moved[name], name
    state = porting.to_torch(after, module)
    for name, want in exact["state"].items():
        if not name.endswith(("running_var", "num_batches_tracked")):
            bound = tolerances.NETWORK * np.abs(want).max() + rate * moved[name]
            assert np.abs(state[name] - want).max() <= bound, name
    for name, want in exact["biased"].items():
        assert relative_error(state[name], want) < tolerances.STATISTICS, name


def torch_step(twin: torch.nn.Module, image, labels, rate: float) -> dict[str, Any]:
    """Loss, gradients, state after one step, and the running variances that Flax would keep."""
    before, counts = numpy_state(twin), {}
    for name, part in twin.named_modules():
        if isinstance(part, _BatchNorm):
            part.register_forward_hook(
                lambda _, inputs, __, name=name: counts.update(
                    {f"{name}.running_var": inputs[0].numel() // inputs[0].shape[1]}
                )
            )
    optimizer = torch.optim.SGD(twin.train().parameters(), lr=rate)
    loss = binary_cross_entropy_with_logits(twin(to_nchw(image))[0], torch.from_numpy(labels))
    loss.backward()
    optimizer.step()
    gradients = {name: np.asarray(parameter.grad) for name, parameter in twin.named_parameters()}
    state = numpy_state(twin)
    biased = {
        name: 0.9 * before[name] + (state[name] - 0.9 * before[name]) * (count - 1) / count
        for name, count in counts.items()
    }
    return {"loss": loss.item(), "gradients": gradients, "state": state, "biased": biased}
