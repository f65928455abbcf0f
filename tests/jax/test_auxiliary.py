"""The losses of auxiliary targets equal torch's; places are where they should be in a map."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from elbow_jax.auxiliary import HEADS, auxiliary_loss, initial_heads, place_map, without_heads

NAN = float("nan")


@pytest.fixture(scope="module")
def example():
    """Endpoints of four images, heads and a batch."""
    rng = np.random.default_rng(0)
    endpoints = {
        "features": jnp.asarray(rng.normal(size=(4, 5)), jnp.float32),
        "feature_map": jnp.asarray(rng.normal(size=(4, 3, 3, 6)), jnp.float32),
    }
    classes = {"finding": ("a", "b", "c"), "body_part": ("d", "e")}
    heads = initial_heads(jax.random.key(1), endpoints, classes, place=True)
    place = np.full((4, 2, 2), NAN, np.float32)
    place[1, 0] = 0.5, 0.5  # the middle of the middle cell
    place[1, 1] = 1 / 6, 5 / 6  # the middle of the lower left one
    batch = {
        "finding": jnp.asarray([0, 2, 1, 0], jnp.int32),
        "body_part": jnp.asarray([1, 0, 1, 0], jnp.int32),
        "place": jnp.asarray(place),
        "label": jnp.asarray([0, 1, 1, 0], jnp.int32),
        "weight": jnp.asarray([1, 1, 1, 0], jnp.float32),
    }
    return heads, endpoints, batch


def as_torch(tree):
    return jax.tree.map(lambda leaf: torch.from_numpy(np.array(leaf)), tree)


@pytest.mark.parametrize("name", ["finding", "body_part"])
def test_loss_of_classes_is_torchs_cross_entropy(name, example):
    heads, endpoints, batch = example
    loss = auxiliary_loss(heads, endpoints, batch, {name: 0.7})
    head, features, target = (as_torch(value) for value in (heads[name], endpoints, batch))
    logits = features["features"] @ head["kernel"] + head["bias"]
    expected = 0.7 * torch.nn.functional.cross_entropy(logits[:3], target[name][:3].long())
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_loss_of_the_place_is_torchs_over_normal_images_and_known_places(example):
    heads, endpoints, batch = example
    loss = auxiliary_loss(heads, endpoints, batch, {"place": 2.0})
    head, features = as_torch(heads["place"]), as_torch(endpoints["feature_map"])
    logits = (features @ head["kernel"] + head["bias"])[..., 0]
    wanted = torch.zeros(2, 3, 3)
    wanted[1, 1, 1] = wanted[1, 2, 0] = 1
    # Image 2 is injured at an unknown place, image 3 is padding.
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[:2], wanted, reduction="sum"
    )
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)  # 2.0 / 2 images


def test_losses_are_added_with_their_weights(example):
    heads, endpoints, batch = example
    weights = {"place": 0.1, "finding": 0.2, "body_part": 0.3}
    each = [auxiliary_loss(heads, endpoints, batch, {name: 1.0}) for name in weights]
    total = auxiliary_loss(heads, endpoints, batch, weights)
    expected = sum(
        weight * float(loss) for weight, loss in zip(weights.values(), each, strict=True)
    )
    assert float(total) == pytest.approx(expected, rel=1e-5)


def test_place_between_cells_is_shared_by_them():
    place = jnp.asarray([[[0.5, 0.25]], [[NAN, NAN]]])
    maps = place_map(place, 4, 4)
    expected = np.zeros((2, 4, 4))
    expected[0, :2, 1:3] = 0.25  # in the corner of four cells
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_gradient_is_finite_where_there_is_no_place(example):
    heads, endpoints, batch = example
    gradient = jax.grad(auxiliary_loss)(heads, endpoints, batch, {"place": 1.0})
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert float(jnp.abs(gradient["place"]["kernel"]).max()) > 0


def test_heads_are_left_out():
    variables = {"params": {"head": 1, HEADS: 2}, "batch_stats": {"body": 3}}
    assert without_heads(variables) == {"params": {"head": 1}, "batch_stats": {"body": 3}}
