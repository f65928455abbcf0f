"""The steps on a network of three layers; whole networks have theirs in models/test_networks.py."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch

from elbow_jax.models.layers import BatchNorm, Convolution, Dense
from elbow_jax.optimizer import sgd
from elbow_jax.steps import (
    GREY_DEVIATION,
    GREY_MEAN,
    create_state,
    make_eval_step,
    make_train_step,
    normalise,
    weighted_loss,
)


class Network(nn.Module):
    """A convolution, batch normalisation where `normalised`, dropout at `rate`, and a logit."""

    normalised: bool = True
    rate: float = 0.2

    @nn.compact
    def __call__(self, image, train=False):
        x = Convolution(8, 3)(image)
        if self.normalised:
            x = BatchNorm(8)(x, train)
        x = nn.relu(x).mean((1, 2))
        x = nn.Dropout(self.rate, deterministic=not train)(x)
        return Dense(1)(x)[:, 0], {}


MODULE = Network()


@pytest.fixture(scope="module")
def batch():
    """Four images of noise; those of class 1 are brighter."""
    rng = np.random.default_rng(0)
    label = np.asarray([0, 1, 1, 0])
    image = rng.integers(0, 156, (4, 32, 32, 1)) + 100 * label[:, None, None, None]
    return {
        "image": jnp.asarray(image, jnp.uint8),
        "label": jnp.asarray(label, jnp.int32),
        "weight": jnp.ones(4, jnp.float32),
    }


@pytest.fixture(scope="module")
def initial():
    variables = MODULE.init(jax.random.key(0), jnp.zeros((1, 32, 32, 1)))
    optimizer = sgd(lambda step: 0.05, momentum=0.8, weight_decay=1e-3)
    return create_state(variables, optimizer, seed=5), optimizer


@pytest.fixture(scope="module")
def train_step(initial):
    return jax.jit(make_train_step(MODULE.apply, initial[1], jnp.float32))


def test_normalise_maps_grey_levels_to_imagenets_mean_and_deviation():
    image = jnp.asarray([[[[0], [255]]]], jnp.uint8)
    expected = np.asarray([-GREY_MEAN, 1 - GREY_MEAN]) / GREY_DEVIATION
    np.testing.assert_allclose(normalise(image).ravel(), expected, rtol=1e-6)
    assert normalise(image, jnp.bfloat16).dtype == jnp.bfloat16


def test_loss_is_the_mean_over_images_of_weight_one():
    logits = jnp.asarray([0.5, -1.0, 30.0])
    batch = {"label": jnp.asarray([1, 0, 0]), "weight": jnp.asarray([1.0, 1.0, 0.0])}
    expected = np.mean([np.log1p(np.exp(-0.5)), np.log1p(np.exp(-1.0))])
    assert float(weighted_loss(logits, batch)) == pytest.approx(expected, rel=1e-6)


def test_loss_of_a_confident_wrong_logit_is_finite():
    batch = {"label": jnp.asarray([0]), "weight": jnp.asarray([1.0])}
    assert float(weighted_loss(jnp.asarray([1e4]), batch)) == pytest.approx(1e4)


@pytest.mark.parametrize("pos_weight", [0.25, 1.0, 3.0])
def test_weight_of_injured_images_is_that_of_torch(pos_weight):
    logits, labels = np.linspace(-3, 3, 8, dtype=np.float32), np.arange(8) % 2
    batch = {"label": jnp.asarray(labels, jnp.int32), "weight": jnp.ones(8)}
    torch_loss = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight))
    expected = torch_loss(torch.from_numpy(logits), torch.from_numpy(labels).float())
    found = weighted_loss(jnp.asarray(logits), batch, pos_weight)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def test_step_updates_parameters_statistics_and_count(initial, batch, train_step):
    state, _ = initial
    after, metrics = train_step(state, batch)
    assert int(after.step) == 1
    for before, moved in ((state.params, after.params), (state.batch_stats, after.batch_stats)):
        change = optax.tree.norm(jax.tree.map(jnp.subtract, moved, before))
        assert float(change) > 0
    assert {name: value.shape for name, value in metrics.items()} == {
        "loss": (),
        "gradient_norm": (),
    }


def test_loss_falls_when_one_batch_is_repeated(initial, batch, train_step):
    state, losses = initial[0], []
    for _ in range(25):
        state, metrics = train_step(state, batch)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.5 * losses[0]


def test_step_depends_only_on_its_arguments(initial, batch, train_step):
    first, second = train_step(initial[0], batch), train_step(initial[0], batch)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(one, other)


def test_dropout_differs_from_step_to_step(initial, batch, train_step):
    state = initial[0]
    later = state.replace(step=state.step + 1)
    assert float(train_step(state, batch)[1]["loss"]) != float(train_step(later, batch)[1]["loss"])


def test_padding_changes_no_score(initial, batch):
    eval_step = jax.jit(make_eval_step(MODULE.apply, jnp.float32))
    blank = batch | {"image": batch["image"].at[2:].set(0)}
    variables = initial[0].variables
    np.testing.assert_array_equal(eval_step(variables, batch)[:2], eval_step(variables, blank)[:2])


def test_batch_in_parts_gives_the_step_of_the_whole_batch():
    """In a network without batch statistics, which see one part at a time."""
    module = Network(normalised=False, rate=0.0)
    variables = module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 1)))
    optimizer = sgd(lambda step: 0.1, momentum=0.8, weight_decay=1e-3)
    rng = np.random.default_rng(1)
    batch = {
        "image": jnp.asarray(rng.integers(0, 256, (8, 32, 32, 1)), jnp.uint8),
        "label": jnp.asarray(rng.integers(0, 2, 8), jnp.int32),
        "weight": jnp.ones(8, jnp.float32),
    }
    initial = create_state(variables, optimizer, seed=5)
    results = []
    for accumulate in (1, 4):
        step = jax.jit(make_train_step(module.apply, optimizer, jnp.float32, accumulate))
        results.append(step(initial, batch))
    (whole, whole_metrics), (parts, parts_metrics) = results
    assert float(whole_metrics["loss"]) == pytest.approx(float(parts_metrics["loss"]), rel=1e-5)
    for before, one, other in zip(
        *map(jax.tree.leaves, (initial.params, whole.params, parts.params)), strict=True
    ):
        assert np.abs(one - before).max() > 0
        np.testing.assert_allclose(one - before, other - before, rtol=1e-3, atol=1e-6)


def test_each_part_updates_the_batch_statistics_of_the_previous_one(initial, batch):
    """As in torch."""
    state, optimizer = initial
    half = jax.jit(make_train_step(MODULE.apply, optimizer, jnp.float32))
    both = jax.jit(make_train_step(MODULE.apply, optimizer, jnp.float32, accumulate=2))
    after, _ = both(state, batch)
    expected = state
    for part in range(2):
        moved, _ = half(expected, {name: array[part::2] for name, array in batch.items()})
        expected = expected.replace(batch_stats=moved.batch_stats)
    for one, other in zip(
        jax.tree.leaves(after.batch_stats), jax.tree.leaves(expected.batch_stats), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_average_is_the_weighted_mean_of_all_states(initial, batch):
    state, optimizer = initial
    state = create_state(state.variables, optimizer, seed=5, averaged=True)
    step = jax.jit(make_train_step(MODULE.apply, optimizer, jnp.float32, ema_decay=0.6))
    expected = jax.tree.map(np.float64, state.variables)
    for number in range(12):
        state, _ = step(state, batch)
        decay = min(0.6, (1 + number) / (10 + number))  # tf.train.ExponentialMovingAverage
        expected = jax.tree.map(
            lambda mean, new, decay=decay: decay * mean + (1 - decay) * np.float64(new),
            expected,
            state.variables,
        )
    assert jax.tree.structure(state.average) == jax.tree.structure(state.variables)
    for mean, new, correct in zip(
        jax.tree.leaves(state.average),
        jax.tree.leaves(state.variables),
        jax.tree.leaves(expected),
        strict=True,
    ):
        np.testing.assert_allclose(mean, correct, rtol=1e-5, atol=1e-7)
        assert not np.allclose(mean, new, rtol=1e-4, atol=1e-7)
