"""An ensemble's score is the mean of its members' scores, whoever computes it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax import export
from safetensors.torch import load_file

from elbow_jax import networks
from elbow_jax.porting import __main__ as porting
from elbow_jax.porting import build_ensemble_twin
from elbow_jax.scoring import (
    Predictor,
    member_variables,
    read_released,
    read_single,
    sigmoid,
    stack_variables,
)
from elbow_jax.scoring.ensembles import make_ensemble_step, mean_logit
from elbow_jax.steps import make_eval_step, normalise
from tests.support.fold_ensembles import FOLDS
from tests.support.released_models import NETWORK, SIZE
from tests.support.tolerances import NETWORK as TOLERANCE


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 255, (4, SIZE, SIZE, 1)).astype(np.uint8)


def mean_probability(logits: np.ndarray) -> np.ndarray:
    """Return the mean of the sigmoids over the first axis, in float64."""
    return np.mean(1 / (1 + np.exp(-logits.astype(np.float64))), axis=0)


def test_mean_logit_is_the_log_odds_of_the_mean_probability():
    logits = np.random.default_rng(1).normal(0, 6, (5, 300)).astype(np.float32)
    found = sigmoid(np.asarray(mean_logit(jnp.asarray(logits))))
    np.testing.assert_allclose(found, mean_probability(logits), rtol=2e-6)
    # The complement too: a score near 1 keeps its distance from 1.
    found = sigmoid(-np.asarray(mean_logit(jnp.asarray(logits))))
    np.testing.assert_allclose(found, mean_probability(-logits), rtol=2e-6)


@pytest.mark.parametrize("logit", [-100.0, -20.0, 0.0, 20.0, 100.0])
def test_mean_of_equal_logits_is_the_logit(logit):
    equal = jnp.full((4, 1), logit, jnp.float32)
    assert float(mean_logit(equal)[0]) == pytest.approx(logit, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_member_without_a_number_leaves_no_score(value):
    logits = jnp.asarray([[1.0, 1.0], [value, 1.0], [2.0, 1.0]], jnp.float32)
    found = np.asarray(mean_logit(logits))
    assert np.isnan(found[0])
    assert found[1] == pytest.approx(1.0)


def test_predictor_gives_the_mean_of_the_members_scores(released, images):
    module = networks.build(NETWORK, "auto")
    step = jax.jit(make_eval_step(module.apply, networks.compute_dtype("auto")))
    members = [
        read_single(released / f"fold_{number}" / "model").variables
        for number in range(1, FOLDS + 1)
    ]
    expected = np.array([step(member, {"image": images}) for member in members])
    assert np.ptp(sigmoid(expected[:, 0])) > 0.01, "the members must differ"
    batch = {"image": images, "position": np.arange(4, dtype=np.int32)}
    positions, scores = Predictor(read_released(released / "model"), 4).score([batch])
    assert positions.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(scores, mean_probability(expected), atol=1e-6)


def test_step_of_an_ensemble_is_pure_and_lowers_for_an_accelerator():
    """Any step of `(variables, batch)` will do, here a product, for which the mean is known."""
    step = make_ensemble_step(lambda weights, batch: batch["image"] @ weights)
    weights = stack_variables([np.array([1, 0], np.float32), np.array([0, 3], np.float32)])
    batch = {"image": jnp.asarray([[2.0, -1.0], [0.0, 0.0]], jnp.float32)}
    exported = export.export(jax.jit(step), platforms=["cpu", "cuda"])(weights, batch)
    found = sigmoid(np.asarray(exported.call(weights, batch)))
    np.testing.assert_allclose(found, mean_probability(np.array([[2, 0], [-3, 0]])), rtol=1e-6)


def test_ensemble_loads_strictly_into_its_torch_twin_and_gives_equal_logits(
    released, images, tmp_path, capsys
):
    assert porting.main(["--to-torch", str(released), "--out", str(tmp_path)]) == 0
    assert "build_ensemble_twin" in capsys.readouterr().out
    twin = build_ensemble_twin(NETWORK, FOLDS).eval()
    twin.load_state_dict(load_file(tmp_path / "run.torch.safetensors"), strict=True)
    pixels = np.asarray(normalise(jnp.asarray(images))).transpose(0, 3, 1, 2)
    with torch.no_grad():
        logits, endpoints = twin(torch.from_numpy(pixels.copy()))
    assert endpoints["member_logits"].shape == (FOLDS, 4)
    batch = {"image": images, "position": np.arange(4, dtype=np.int32)}
    _, scores = Predictor(read_released(released / "model"), 4).score([batch])
    np.testing.assert_allclose(sigmoid(logits.numpy()), scores, atol=TOLERANCE)
    np.testing.assert_allclose(
        mean_probability(endpoints["member_logits"].numpy()), scores, atol=TOLERANCE
    )


def test_stacked_variables_hold_each_member_in_its_place(released):
    stacked = read_released(released / "model").variables
    for number in range(FOLDS):
        member = read_single(released / f"fold_{number + 1}" / "model").variables
        jax.tree.map(np.testing.assert_array_equal, member_variables(stacked, number), member)
