"""Train the Flax network and record its learning curve."""

from typing import Any

import jax

from benchmarks.learning.curves import Curve
from elbow_core.dataset import PreparedData
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import to_devices
from elbow_jax.scoring import sigmoid
from elbow_jax.training import build_engine, open_batches, score_split


def train_jax(config: TrainConfig, data: PreparedData) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the curve of the Flax network, and its variables before the first step."""
    engine = build_engine(config, data)
    initial = jax.device_get(engine.state.variables)
    state, batches, curve = engine.state, open_batches(config, data), Curve("JAX")
    for step in range(1, config.epochs * engine.steps_per_epoch + 1):
        batch = to_devices(next(batches), engine.mesh)
        state, metrics = engine.train_step(state, batch)
        curve.loss.append(float(metrics["loss"]))
        if not step % engine.steps_per_epoch:
            labels, logits = score_split(
                engine, state.variables, data, config.batch_size, "validation"
            )
            curve.add_epoch(labels, sigmoid(logits))
    return curve.to_record(), initial
