from collections.abc import Callable
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import timm
import torch
import torchvision
from flax.traverse_util import flatten_dict

from elbow_jax import porting
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.models.config import Backbone
from elbow_jax.porting import build_twin, plain_network
from tests.support import tolerances
from tests.support.random_networks import (
    numpy_state,
    random_images,
    randomise,
    relative_error,
    to_nchw,
    to_nhwc,
    variable_shapes,
)

NETWORKS = get_args(Backbone)
SINGLE = NETWORKS[:3]
TIMM = {
    "convnext_tiny": "convnext_tiny",
    "efficientnetv2_s": "tf_efficientnetv2_s",
    "mobilenetv3_large": "mobilenetv3_large_100",
}
TORCHVISION: dict[str, Callable[..., torch.nn.Module]] = {
    "convnext_tiny": torchvision.models.convnext_tiny,
    "efficientnetv2_s": torchvision.models.efficientnet_v2_s,
    "mobilenetv3_large": torchvision.models.mobilenet_v3_large,
}


def random_variables(module: Any, seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    sample = lambda leaf: generator.standard_normal(leaf.shape, np.float32)  # noqa: E731
    return jax.tree.map(sample, variable_shapes(module, module.in_channels))


def timm_state(backbone: str, in_channels: int = 3) -> dict[str, np.ndarray]:
    """A random checkpoint in the format of timm's published ones."""
    return numpy_state(timm.create_model(TIMM[backbone], in_chans=in_channels))


@pytest.mark.parametrize("variant", ["full", "small"])
@pytest.mark.parametrize("backbone", NETWORKS)
def test_round_trip_through_torch_is_bit_exact(backbone, variant):
    config = ModelConfig(backbone=backbone, variant=variant)
    module = build_model(config)
    variables = random_variables(module)
    twin = build_twin(config)
    tensors = porting.to_torch(variables, module)
    twin.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    restored = porting.from_torch(numpy_state(twin), module, variable_shapes(module))
    assert jax.tree.structure(restored) == jax.tree.structure(variables)
    for one, other in zip(jax.tree.leaves(variables), jax.tree.leaves(restored), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("backbone", SINGLE)
def test_published_checkpoint_fills_all_but_the_papers_additions(backbone):
    module = build_model(ModelConfig(backbone=backbone))
    before = random_variables(module)
    after = porting.port_backbone(timm_state(backbone), module, before)
    new = set(porting.new_leaves(module, before))
    kept, filled = set(), set()
    flat: dict[str, Any] = flatten_dict(before, sep="/")
    for path, value in flatten_dict(after, sep="/").items():
        (kept if value is flat[path] else filled).add(path)
    assert kept == new
    additions = {path.split("/")[2] for path in new if "/head/" not in path}
    expected = {
        "convnext_tiny": {f"cbam{number}" for number in range(4)},
        "efficientnetv2_s": {"cbam0", "cbam1", "last"},
        "mobilenetv3_large": {"cbam0", "narrow"},
    }
    assert additions == expected[backbone]
    assert filled


@pytest.mark.parametrize("backbone", SINGLE)
def test_plain_networks_give_the_features_of_timms_published_architecture(backbone):
    """Without CBAM, at native width, in colour: every tensor but the classifier is used."""
    config = plain_network(backbone, "timm", in_channels=3)
    image = np.repeat(random_images(2, 96, 96), 3, axis=-1)
    published = randomise(timm.create_model(TIMM[backbone]), to_nchw(image))
    assert isinstance(published, torch.nn.Module)
    module = build_model(config)
    variables = porting.port_backbone(numpy_state(published), module, random_variables(module))
    new = porting.new_leaves(module, variables)
    assert {path.split("/")[1] for path in new} == {"head"}
    _, endpoints = jax.jit(module.apply)(variables, image)
    with torch.no_grad():
        expected_map = published.forward_features(to_nchw(image))  # pyright: ignore[reportCallIssue]
    assert relative_error(endpoints["feature_map"], to_nhwc(expected_map)) < tolerances.NETWORK
    pooled = expected_map.mean((2, 3))
    if backbone == "convnext_tiny":
        with torch.no_grad():
            pooled = published.forward_head(expected_map, pre_logits=True)  # pyright: ignore
    assert relative_error(endpoints["features"], pooled) < tolerances.NETWORK


@pytest.mark.parametrize("backbone", SINGLE)
def test_torchvisions_checkpoints_give_torchvisions_features(backbone):
    config = plain_network(backbone, "torchvision", in_channels=3)
    image = np.repeat(random_images(2, 96, 96), 3, axis=-1)
    published = randomise(TORCHVISION[backbone](), to_nchw(image))
    module = build_model(config)
    renamed = porting.from_torchvision(numpy_state(published), module)
    variables = porting.port_backbone(renamed, module, random_variables(module))
    _, endpoints = jax.jit(module.apply)(variables, image)
    with torch.no_grad():
        expected = published.features(to_nchw(image))  # pyright: ignore[reportCallIssue]
    assert relative_error(endpoints["feature_map"], to_nhwc(expected)) < tolerances.NETWORK


@pytest.mark.parametrize("backbone", SINGLE)
def test_grey_stem_is_the_sum_of_the_colour_stem(backbone):
    state = timm_state(backbone)
    module = build_model(ModelConfig(backbone=backbone))
    variables = porting.port_backbone(state, module, random_variables(module))
    stem = variables["params"]["backbone"]["stem"]
    kernel = stem["kernel"] if "kernel" in stem else stem["conv"]["kernel"]
    name = "stem.0.weight" if backbone == "convnext_tiny" else "conv_stem.weight"
    expected = state[name].sum(axis=1, keepdims=True).transpose(2, 3, 1, 0)
    assert np.array_equal(kernel, expected)


def test_missing_surplus_and_misshapen_tensors_are_refused_by_name():
    state = timm_state("mobilenetv3_large")
    del state["blocks.1.0.conv_pw.weight"]
    state["blocks.9.0.conv.weight"] = np.zeros(3, np.float32)
    state["bn1.weight"] = state["bn1.weight"][:8]
    module = build_model(ModelConfig(backbone="mobilenetv3_large"))
    with pytest.raises(ValueError, match=r"^missing: ") as caught:
        porting.port_backbone(state, module, random_variables(module))
    assert str(caught.value) == (
        "missing: blocks.1.0.conv_pw.weight; surplus: blocks.9.0.conv.weight; "
        "misshapen: bn1.weight (is [8], should be [16])"
    )


def test_from_torch_is_as_strict():
    module = build_model(ModelConfig(backbone="convnext_tiny", variant="small"))
    variables = random_variables(module)
    state = porting.to_torch(variables, module)
    state["backbone.extra"] = state.pop("head.bias")
    state["head.weight"] = state["head.weight"].T
    with pytest.raises(ValueError, match=r"^missing: ") as caught:
        porting.from_torch(state, module, variables)
    assert str(caught.value) == (
        "missing: head.bias; surplus: backbone.extra; "
        "misshapen: head.weight (is [192, 1], should be [1, 192])"
    )


def test_checkpoint_of_another_network_is_refused_in_one_short_line():
    module = build_model(ModelConfig(backbone="convnext_tiny"))
    with pytest.raises(ValueError, match=r"and [0-9]+ more; surplus: ") as caught:
        porting.port_backbone(timm_state("efficientnetv2_s"), module, random_variables(module))
    assert len(str(caught.value)) < 800


def test_colour_network_refuses_a_grey_checkpoint():
    module = build_model(ModelConfig(backbone="mobilenetv3_large", in_channels=3))
    state = timm_state("mobilenetv3_large", in_channels=1)
    with pytest.raises(ValueError, match=r"misshapen: conv_stem.weight \(is \[16, 1, 3, 3\]"):
        porting.port_backbone(state, module, random_variables(module))


def test_half_precision_checkpoints_become_float32():
    state = {name: value.astype(np.float16) for name, value in timm_state("convnext_tiny").items()}
    module = build_model(ModelConfig(backbone="convnext_tiny"))
    variables = porting.port_backbone(state, module, random_variables(module))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {np.dtype(np.float32)}


def test_fusion_network_refuses_timms_weights():
    module = build_model(ModelConfig(backbone="fusion", variant="small"))
    with pytest.raises(ValueError, match="starts from three trained ones"):
        porting.port_backbone({}, module, random_variables(module))


def test_path_that_no_table_maps_is_an_error():
    module = build_model(ModelConfig(backbone="mobilenetv3_large", variant="small"))
    variables = random_variables(module)
    variables["params"]["backbone"]["invented"] = {"kernel": jnp.zeros((1, 1, 2, 2))}
    with pytest.raises(ValueError, match="backbone/invented/kernel: no table of porting maps it"):
        porting.to_torch(variables, module)
