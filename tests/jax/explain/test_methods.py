"""The methods on functions whose maps are known, and which layers they look at."""

from typing import Any

import cv2
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elbow_jax import explain
from elbow_jax.models import ModelConfig, build_model
from tests.support.random_networks import variable_shapes


def test_enlargement_is_opencvs():
    maps = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    enlarged = np.asarray(explain.enlarge(jnp.asarray(maps), 32))
    for values, found in zip(maps, enlarged, strict=True):
        expected = cv2.resize(values, (32, 32), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_cams_differ_where_the_gradient_varies_over_the_map_and_agree_where_it_does_not():
    rng = np.random.default_rng(0)
    feature_map = jnp.asarray(rng.normal(size=(1, 2, 3, 4)), jnp.float32)
    gradient = jnp.asarray(rng.normal(size=(1, 2, 3, 4)), jnp.float32)
    weights = np.asarray(gradient).mean(axis=(1, 2))[0]
    np.testing.assert_allclose(
        explain.grad_cam(feature_map, gradient)[0],
        np.tensordot(np.asarray(feature_map)[0], weights, 1),
        rtol=1e-5,
    )
    hires = explain.hires_cam(feature_map, gradient)
    np.testing.assert_allclose(
        hires[0], np.einsum("hwc,hwc->hw", feature_map[0], gradient[0]), rtol=1e-5
    )
    assert not np.allclose(hires, explain.grad_cam(feature_map, gradient))
    uniform = jnp.broadcast_to(gradient[:, :1, :1], gradient.shape)
    np.testing.assert_allclose(
        explain.hires_cam(feature_map, uniform),
        explain.grad_cam(feature_map, uniform),
        rtol=1e-4,
        atol=1e-6,
    )


def test_patches_cover_every_pixel_of_any_size_and_end_at_the_edge():
    for size in (32, 61, 96, 584):
        side, places = explain.patch_places(size)
        hidden = np.zeros((size, size), int)
        for row, column in places.tolist():
            assert row + side <= size
            assert column + side <= size
            hidden[row : row + side, column : column + side] += 1
        assert hidden.min() >= 1
    assert len(explain.patch_places(96)[1]) == 15**2


def test_occlusion_of_a_linear_network_is_the_mean_loss_of_its_patches():
    rng = np.random.default_rng(1)
    size = 32
    weights = rng.normal(size=(size, size, 1)).astype(np.float32)
    image = rng.normal(size=(2, size, size, 1)).astype(np.float32)

    def logits_of(image: jax.Array) -> jax.Array:
        return jnp.sum(image * weights[None], axis=(1, 2, 3))

    found = explain.occlusion(logits_of, jnp.asarray(image), logits_of(jnp.asarray(image)))
    side, places = explain.patch_places(size)
    for number in range(2):
        falls, times = np.zeros((size, size)), np.zeros((size, size))
        for row, column in places.tolist():
            patch = slice(row, row + side), slice(column, column + side)
            pixels = image[number][patch].astype(np.float64)
            falls[patch] += ((pixels - image[number].mean()) * weights[patch]).sum()
            times[patch] += 1
        np.testing.assert_allclose(found[number], falls / times, atol=1e-3)


def test_integrated_gradients_of_a_sum_over_pixels_are_each_pixels_own_difference():
    rng = np.random.default_rng(2)
    image = rng.normal(size=(2, 4, 4, 1)).astype(np.float32)
    baseline = np.full_like(image, -2.0)

    def logits_of(image: jax.Array) -> jax.Array:
        return jnp.sum(image**3 + jnp.sin(image), axis=(1, 2, 3))

    found = explain.integrated_gradients(
        logits_of, jnp.asarray(image), jnp.asarray(baseline), steps=16
    )
    expected = (image**3 + np.sin(image)) - (baseline**3 + np.sin(baseline))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "cbam", "layer"),
    [
        ("convnext_tiny", True, "cbam3"),
        ("convnext_tiny", False, "stage3"),
        ("efficientnetv2_s", True, "cbam1"),
        ("efficientnetv2_s", False, "last"),
        ("mobilenetv3_large", True, "cbam0"),
        ("mobilenetv3_large", False, "narrow"),
    ],
)
def test_layer_of_the_last_feature_map_is_found(backbone, cbam, layer):
    module = build_model(ModelConfig(backbone=backbone, variant="small", cbam=cbam))
    shapes = variable_shapes(module)
    image = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
    found = explain.feature_layers(module, shapes, image)
    assert found == {"backbone": ("backbone", layer)}


def test_map_of_a_single_pixel_is_refused():
    module = build_model(ModelConfig(backbone="mobilenetv3_large"))  # five halvings
    image = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
    with pytest.raises(ValueError, match=r"32 x 32 pixels is too small.*1 x 1 pixels"):
        explain.feature_layers(module, variable_shapes(module), image)


def test_network_without_a_feature_map_is_refused():
    class Vectors(nn.Module):
        @nn.compact
        def __call__(self, image: jax.Array, train: bool = False) -> Any:
            features = nn.Dense(3)(image.mean(axis=(1, 2)))
            return features.sum(axis=-1), {"features": features}

    module = Vectors()
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 1))))
    image = jax.ShapeDtypeStruct((1, 32, 32, 1), jnp.float32)
    with pytest.raises(ValueError, match="returns no feature map"):
        explain.feature_layers(module, variables, image)
