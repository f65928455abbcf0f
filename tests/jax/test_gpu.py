"""Networks, steps and commands on a GPU, against the same on the CPU.

JAX_PLATFORMS=cuda,cpu python -m pytest -m gpu tests/jax/test_gpu.py
"""

import csv
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from elbow_jax import networks
from elbow_jax.models import ModelConfig
from elbow_jax.optimizer import WarmRestarts, sgd
from elbow_jax.steps import create_state, make_eval_step, make_train_step, weighted_loss
from tests.support.paths import ROOT
from tests.support.tolerances import BFLOAT16, GRADIENT, NETWORK

pytestmark = pytest.mark.gpu

BACKBONES = ("convnext_tiny", "efficientnetv2_s", "mobilenetv3_large", "fusion")
SIZE = 64


@pytest.fixture
def devices():
    """The first GPU and the CPU."""
    try:
        return jax.devices("gpu")[0], jax.devices("cpu")[0]
    except RuntimeError as error:
        pytest.skip(f"needs a GPU and JAX_PLATFORMS=cuda,cpu ({error})")


def network(backbone, precision: networks.Precision = "float32"):
    config = ModelConfig(backbone=backbone, variant="small")
    module = networks.build(config, precision)
    return module, networks.initialise(module, SIZE, seed=0)


def batch():
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 256, (8, SIZE, SIZE, 1), np.uint8),
        "label": (np.arange(8) % 2).astype(np.int32),
        "weight": np.ones(8, np.float32),
    }


def on(device, function, *arguments):
    """Results, as NumPy, of a function compiled for a device, with float32 products in float32."""
    with jax.default_device(device), jax.default_matmul_precision("highest"):
        placed = jax.device_put(arguments, device)
        return jax.device_get(jax.jit(function)(*placed))


def distance(one, two):
    return np.linalg.norm(one - two) / np.linalg.norm(two)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_logits_and_gradients_are_those_of_the_cpu(devices, backbone):
    module, variables = network(backbone)
    infer = make_eval_step(module.apply, np.float32)

    def loss(variables, batch):
        return weighted_loss(infer(variables, batch), batch)

    logits = [on(device, infer, variables, batch()) for device in devices]
    assert distance(*logits) < NETWORK
    gpu, cpu = (on(device, jax.grad(loss), variables, batch())["params"] for device in devices)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(cpu))
    for one, two in zip(jax.tree.leaves(gpu), jax.tree.leaves(cpu), strict=True):
        assert np.abs(one - two).max() < GRADIENT * largest


@pytest.mark.parametrize("backbone", BACKBONES)
def test_bfloat16_is_the_choice_and_close_to_float32(devices, backbone):
    assert networks.compute_dtype("auto") == jax.numpy.bfloat16
    module, variables = network(backbone, "auto")
    infer = make_eval_step(module.apply, networks.compute_dtype("auto"))
    exact, _ = network(backbone)
    gpu = on(devices[0], infer, variables, batch())
    cpu = on(devices[1], make_eval_step(exact.apply, np.float32), variables, batch())
    # Logits of random weights lie close to 0, so the scale is that of a score's logit.
    assert np.abs(gpu - cpu).max() < BFLOAT16


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_network_learns_a_batch_by_heart(devices, backbone):
    module, variables = network(backbone, "auto")
    optimizer = sgd(WarmRestarts(0.02, 5, 2, 10_000), momentum=0.9, weight_decay=0.0)
    step = jax.jit(
        make_train_step(module.apply, optimizer, networks.compute_dtype("auto")), donate_argnums=0
    )
    placed = jax.device_put(batch(), devices[0])
    state = jax.device_put(create_state(variables, optimizer, seed=0), devices[0])
    losses = []
    for _ in range(60):
        state, metrics = step(state, placed)
        losses.append(float(metrics["loss"]))
    assert np.isfinite(losses).all()
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5]), losses


def test_commands_run_and_score_as_on_the_cpu(devices, workspace, tmp_path):
    """`prepare`, `train` and `evaluate` have made the run on the GPU; both devices score."""
    images = [str(path) for path in sorted((workspace / "images").rglob("*.png"))[:12]]
    scores = []
    for platform in ("cuda", "cpu"):
        out = tmp_path / f"{platform}.csv"
        command = ["--model", str(workspace / "run" / "model"), "--out", str(out), *images]
        subprocess.run(
            [sys.executable, "-m", "elbow_jax.predict", *command],
            check=True,
            cwd=ROOT,
            env=os.environ | {"JAX_PLATFORMS": platform},
        )
        with out.open() as file:
            scores.append([float(line["score"]) for line in csv.DictReader(file)])
    assert len(scores[0]) == 12
    np.testing.assert_allclose(*scores, atol=0.02)
