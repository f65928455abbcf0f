"""What a run computes with: a network, its optimiser and two compiled steps over the devices."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from elbow_core.dataset.prepared import PreparedData
from elbow_core.errors import ConfigError
from elbow_core.evaluation.statistics.metrics import auroc
from elbow_jax import networks
from elbow_jax.config import TrainConfig
from elbow_jax.data import scoring_batches, steps_per_epoch
from elbow_jax.optimizer import WarmRestarts, sgd
from elbow_jax.runtime import devices as parallel
from elbow_jax.runtime.compilation import compiled_aside
from elbow_jax.scoring.batches import score_batches, sigmoid
from elbow_jax.steps import TrainState, create_state, make_eval_step, make_train_step
from elbow_jax.training.first_weights import first_variables

Step = Callable[..., Any]


@dataclass(frozen=True)
class Engine:
    """What a run computes with: compiled steps over the devices, and the state to begin from."""

    mesh: Mesh
    train_step: Step
    eval_step: Step
    state: TrainState
    rate: Callable[[int], Any]
    steps_per_epoch: int


def build_engine(config: TrainConfig, data: PreparedData) -> Engine:
    """Build the network, its optimiser and the two steps; nothing is written.

    Raises:
        ConfigError: if the configuration cannot be run on this data and these devices.
    """
    if config.batch_size % config.accumulate:
        raise ConfigError(
            f"accumulate: {config.accumulate} parts cannot share a batch of {config.batch_size}"
        )
    mesh = parallel.make_mesh(config.batch_size // config.accumulate)
    module = networks.build(config.model, config.precision)
    dtype = networks.compute_dtype(config.precision)
    size = data.archive.size
    shapes = networks.variable_shapes(module, size)
    draw = functools.partial(networks.initialise, module, size, config.seed)
    variables = first_variables(config.model, config.init, shapes, draw)
    steps = steps_per_epoch(data, config.data.copies, config.batch_size)
    restarts = config.optimizer.warm_restarts
    schedule = functools.partial(
        WarmRestarts, t_0=restarts.t_0, t_mult=restarts.t_mult, steps_per_epoch=steps
    )
    rate = config.optimizer.learning_rate
    if isinstance(rate, dict):
        if rate.keys() != variables["params"].keys():
            raise ConfigError(
                f"optimizer.learning_rate: has rates for {sorted(rate)}, the network has the "
                f"groups {sorted(variables['params'])}"
            )
        schedules = {group: schedule(value) for group, value in rate.items()}
        shown = schedules["head"]
    else:
        schedules = shown = schedule(rate)
    optimizer = sgd(schedules, config.optimizer.momentum, config.optimizer.weight_decay)
    # Under jit, or each shape's zeros would be compiled by themselves.
    state = jax.jit(lambda start: create_state(start, optimizer, config.seed))(variables)
    return Engine(
        mesh=mesh,
        train_step=jax.jit(
            make_train_step(module.apply, optimizer, dtype, config.accumulate), donate_argnums=0
        ),
        eval_step=compiled_aside(jax.jit(make_eval_step(module.apply, dtype))),
        state=jax.device_put(state, parallel.replicated(mesh)),
        rate=shown.at,
        steps_per_epoch=steps,
    )


def score_split(
    engine: Engine, state: TrainState, data: PreparedData, batch_size: int, split: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels, int64 [N], and logits, float32 [N], of a split in manifest order."""
    batches = scoring_batches(data, split, batch_size=batch_size, process=parallel.process())
    positions, logits = score_batches(engine.eval_step, state.variables, batches, engine.mesh)
    return np.asarray([data.rows[position].label for position in positions], np.int64), logits


def validate(
    engine: Engine, state: TrainState, data: PreparedData, batch_size: int
) -> dict[str, float]:
    """Return ``auroc``, ``accuracy`` (at 0.5) and ``loss`` on the validation set."""
    labels, logits = score_split(engine, state, data, batch_size, "validation")
    # log(1 + exp(-z)) with the label's sign, stable for large logits
    loss = np.logaddexp(0.0, np.where(labels == 1, -logits, logits).astype(np.float64))
    return {
        "auroc": auroc(labels, sigmoid(logits)),
        "accuracy": float(np.mean((logits >= 0) == (labels == 1))),
        "loss": float(loss.mean()),
    }
