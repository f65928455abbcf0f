from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from elbow_jax.models import BACKBONES, ModelConfig, build_model, fuse_variables
from elbow_jax.models.config import Backbone
from tests.support.random_networks import variable_shapes

NETWORKS = get_args(Backbone)
SINGLE = NETWORKS[:3]


def output_shapes(config: ModelConfig, *shape: int):
    module = build_model(config)
    variables = variable_shapes(module, config.in_channels)
    return jax.eval_shape(module.apply, variables, jax.ShapeDtypeStruct(shape, jnp.float32))


@pytest.mark.parametrize("variant", ["full", "small"])
@pytest.mark.parametrize("backbone", SINGLE)
def test_any_image_of_at_least_32_pixels_gives_one_logit(backbone, variant):
    config = ModelConfig(backbone=backbone, variant=variant)
    width = 768 if variant == "full" else 192
    for height, across in ((32, 32), (33, 47)):
        logits, endpoints = output_shapes(config, 2, height, across, 1)
        assert logits.shape == (2,)
        assert endpoints["features"].shape == (2, width)
        assert endpoints["feature_map"].shape[3] == width
        assert min(endpoints["feature_map"].shape[1:3]) >= 1


def test_fusion_joins_the_features_of_three_networks():
    logits, endpoints = output_shapes(ModelConfig(backbone="fusion", variant="small"), 2, 33, 47, 1)
    assert logits.shape == (2,)
    assert endpoints["features"].shape == (2, 3 * 192)
    assert [endpoints[name]["features"].shape for name in SINGLE] == [(2, 192)] * 3


@pytest.mark.parametrize(
    ("backbone", "features"), [("efficientnetv2_s", 1280), ("mobilenetv3_large", 960)]
)
def test_the_published_widths_are_to_be_had(backbone, features):
    config = ModelConfig(backbone=backbone, cbam=False, features=features)
    assert output_shapes(config, 1, 64, 64, 1)[1]["features"].shape == (1, features)
    assert "narrow" not in variable_shapes(build_model(config))["params"]["backbone"]


def test_parameter_groups_are_the_tops_of_the_tree():
    for backbone in SINGLE:
        variables = variable_shapes(build_model(ModelConfig(backbone=backbone)))
        assert set(variables["params"]) == {"backbone", "head"}
    fusion = variable_shapes(build_model(ModelConfig(backbone="fusion")))
    assert set(fusion["params"]) == {*BACKBONES, "head"}


@pytest.mark.parametrize("backbone", NETWORKS)
def test_parameters_are_float32_in_any_precision(backbone):
    module = build_model(ModelConfig(backbone=backbone, variant="small"), jnp.bfloat16)
    leaves = jax.tree.leaves(variable_shapes(module))
    assert {leaf.dtype for leaf in leaves} == {jnp.dtype("float32")}


def test_cbam_follows_the_stages_that_the_paper_names():
    places = {
        backbone: [
            name
            for name in variable_shapes(build_model(ModelConfig(backbone=backbone)))["params"][
                "backbone"
            ]
            if "cbam" in name
        ]
        for backbone in SINGLE
    }
    assert [len(names) for names in places.values()] == [4, 2, 1]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("variant", "tiny", "variant: 'tiny' is not one of full, small"),
        ("backbone", "resnet50", "backbone: 'resnet50' is not one of convnext_tiny, "),
        ("convention", "keras", "convention: 'keras' is not one of timm, torchvision"),
        ("in_channels", 2, "in_channels: 2 is neither 1"),
        ("features", 512, "features: 512, but the last stage of a full ConvNeXt is 768"),
        ("features", 0, "features: 0 is not a width"),
        ("dropout", 1.0, "dropout: 1.0 is not a rate"),
        ("drop_path", -0.1, "drop_path: -0.1 is not a rate"),
    ],
)
def test_a_value_that_cannot_be_built_is_named(field, value, message):
    config = ModelConfig(backbone="convnext_tiny")
    object.__setattr__(config, field, value)  # past the type checker of the tests' own
    with pytest.raises(ValueError, match=message):
        build_model(config)


@pytest.mark.parametrize("backbone", ["mobilenetv3_large", "fusion"])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 31, 64, 1), "image: 31 x 64 pixels, but a side needs at least 32"),
        ((1, 64, 64, 3), "image: 3 channels where the network takes 1"),
    ],
)
def test_an_image_that_does_not_fit_is_named(backbone, shape, message):
    with pytest.raises(ValueError, match=message):
        output_shapes(ModelConfig(backbone=backbone, variant="small"), *shape)


def test_an_image_of_another_rank_or_type_is_refused_by_its_signature():
    for image in (jnp.zeros((64, 64, 1)), jnp.zeros((1, 64, 64, 1), jnp.uint8)):
        module = build_model(ModelConfig(backbone="mobilenetv3_large", variant="small"))
        with pytest.raises(TypeCheckError):
            jax.eval_shape(module.init, jax.random.key(0), image)


def random_variables(backbone: Any, seed: int):
    module = build_model(ModelConfig(backbone=backbone, variant="small"))
    generator = np.random.default_rng(seed)
    draw = lambda leaf: jnp.asarray(generator.random(leaf.shape, np.float32))  # noqa: E731
    return module, jax.tree.map(draw, variable_shapes(module))


def test_fusion_starts_from_the_backbones_of_three_trained_networks():
    _, variables = random_variables("fusion", 0)
    trained = {name: random_variables(name, 1 + n)[1] for n, name in enumerate(BACKBONES)}
    fused = fuse_variables(variables, trained)
    assert jax.tree.structure(fused) == jax.tree.structure(variables)
    for collection in ("params", "batch_stats"):
        for name in BACKBONES:
            assert fused[collection][name] is trained[name][collection]["backbone"]
        assert fused[collection]["head"] is variables[collection]["head"]


def test_fusion_of_other_networks_is_refused_by_path():
    _, variables = random_variables("fusion", 0)
    trained = {name: random_variables(name, 1)[1] for name in BACKBONES}
    with pytest.raises(ValueError, match=r"fusion: needs .*; got convnext_tiny$"):
        fuse_variables(variables, {"convnext_tiny": trained["convnext_tiny"]})
    stem = trained["mobilenetv3_large"]["params"]["backbone"]["stem"]["conv"]
    stem["kernel"] = stem["kernel"][..., :8]
    with pytest.raises(ValueError, match=r"mobilenetv3_large: params\['stem'\]\['conv'\]"):
        fuse_variables(variables, trained)
