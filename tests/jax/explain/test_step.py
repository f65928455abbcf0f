"""All methods in one step, of the fusion network and so of each of the three."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elbow_jax import explain
from elbow_jax.models import BACKBONES, ModelConfig
from elbow_jax.steps import normalise
from tests.support import tolerances
from tests.support.random_networks import ported, random_twin, relative_error

pytestmark = pytest.mark.slow  # compiles all methods of three networks
SIZE = 32
FUSION = ModelConfig(backbone="fusion", variant="small")


@pytest.fixture(scope="module")
def case() -> tuple[Any, Any, np.ndarray, Any]:
    """A network, its variables, images, and their explanation by all methods."""
    module, variables = ported(FUSION, random_twin(FUSION))
    grey = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 1), np.uint8)
    layers = explain.feature_layers(module, variables, np.zeros((1, SIZE, SIZE, 1), np.float32))
    step = explain.make_explain_step(module, explain.METHODS, layers, steps=64)
    return module, variables, grey, jax.jit(step)(variables, {"image": grey})


def test_sets_are_those_that_are_named(case):
    names = [name for method in explain.METHODS for name in explain.sets_of(method, "fusion")]
    found = case[3].maps
    assert sorted(found) == sorted(names)
    assert len(names) == 4 + 3 * len(BACKBONES)
    for values in found.values():
        assert values.shape == (2, SIZE, SIZE)
        assert np.isfinite(values).all()
        assert (np.asarray(values) >= 0).all()


def test_integrated_gradients_are_complete(case):
    """Of every backbone together: their sum is the difference of the network's own logits."""
    module, variables, grey, found = case
    logits, _ = module.apply(variables, normalise(jnp.asarray(grey)))
    black, _ = module.apply(variables, normalise(jnp.zeros_like(grey)))
    assert relative_error(found.logits, logits) < tolerances.NETWORK
    np.testing.assert_allclose(found.difference, logits - black, rtol=1e-3, atol=1e-4)
    assert (np.abs(found.difference) > 0.01).all()
    np.testing.assert_allclose(found.attributed, found.difference, rtol=0.01)


def test_gates_are_those_of_every_cbam_and_lie_between_0_and_1(case):
    gates = case[3].gates
    assert {name: gate.shape[1:] for name, gate in gates.items()} == {
        "convnext_tiny/cbam0": (16, 16),
        "convnext_tiny/cbam1": (8, 8),
        "convnext_tiny/cbam2": (4, 4),
        "convnext_tiny/cbam3": (2, 2),
        "efficientnetv2_s/cbam0": (4, 4),
        "efficientnetv2_s/cbam1": (2, 2),
        "mobilenetv3_large/cbam0": (2, 2),
    }
    for gate in gates.values():
        assert (np.asarray(gate) > 0).all()
        assert (np.asarray(gate) < 1).all()
        assert np.ptp(np.asarray(gate)) > 0


def test_joined_map_adds_the_evidence_of_the_backbones_with_its_sign(case):
    module, variables, grey, found = case
    layers = explain.feature_layers(module, variables, np.zeros((1, SIZE, SIZE, 1), np.float32))
    features = explain.feature_maps(module, variables, normalise(jnp.asarray(grey)), layers)
    total = np.zeros((2, SIZE, SIZE))
    for name in BACKBONES:
        signed = explain.hires_cam(features.maps[name], features.gradients[name])
        share = signed.shape[1] * signed.shape[2] / SIZE**2
        total += share * np.asarray(explain.enlarge(signed, SIZE))
        alone = np.asarray(explain.enlarge(jnp.maximum(signed, 0), SIZE))
        np.testing.assert_allclose(found.maps[f"hires_cam_{name}"], alone, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.maps["hires_cam"], np.maximum(total, 0), rtol=1e-3, atol=1e-5)


def test_both_cams_are_equal_at_the_last_feature_map(case):
    """The logit depends on the mean of the map alone, so its gradient is one for all pixels."""
    maps = case[3].maps
    for part in ("", *(f"_{name}" for name in BACKBONES)):
        np.testing.assert_allclose(
            maps[f"grad_cam{part}"], maps[f"hires_cam{part}"], rtol=1e-3, atol=1e-6
        )
