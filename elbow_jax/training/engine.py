"""Build the compiled steps, the initial state and the learning-rate schedule of a run."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from elbow_core.dataset import PreparedData
from elbow_core.errors import ConfigError
from elbow_jax import networks
from elbow_jax.auxiliary import HEADS, initial_heads
from elbow_jax.config import AdamWSection, TrainConfig
from elbow_jax.data import steps_per_epoch
from elbow_jax.optimizer import Rate, WarmRestarts, adamw, sgd
from elbow_jax.runtime import compile_in_thread, make_mesh, replicated_sharding
from elbow_jax.steps import TrainState, create_state, make_eval_step, make_train_step
from elbow_jax.targets import read_targets
from elbow_jax.training.initial import InitialWeights, read_initial_weights

Step = Callable[..., Any]


@dataclass(frozen=True)
class Engine:
    """Steps of a run over the devices of `mesh`, its initial state and its schedule.

    Attributes:
        mesh: the devices.
        train_step: jitted ``(state, batch) -> (state, metrics)``; the state is donated.
        eval_step: jitted ``(variables, batch) -> logits``.
        state: the initial state, replicated over `mesh`; zeros where a checkpoint replaces it.
        origin: of the initial weights (see `InitialWeights`); None for random ones and for zeros.
        begins: whether `state` is an initial state, and not zeros.
        rate: the learning rate of a step, counted from 0; of the head where groups differ.
        steps_per_epoch: optimiser steps.
    """

    mesh: Mesh
    train_step: Step
    eval_step: Step
    state: TrainState
    origin: dict[str, Any] | None
    begins: bool
    rate: Callable[[int], Any]
    steps_per_epoch: int


def build_engine(config: TrainConfig, data: PreparedData, begins: bool = True) -> Engine:
    """Build the network, its optimiser and the two steps; nothing is written.

    Args:
        config: of the run.
        data: its images.
        begins: whether the run begins with the weights of `config.init`. A run that resumes from a
            checkpoint does not read them, so that they may be gone.

    Raises:
        ConfigError: if the configuration cannot be run on this data and these devices.
    """
    if config.batch_size % config.accumulate:
        raise ConfigError(
            f"accumulate: {config.accumulate} parts cannot share a batch of {config.batch_size}"
        )
    mesh = make_mesh(config.batch_size // config.accumulate)
    module = networks.build(config.model, config.precision)
    dtype = networks.compute_dtype(config.precision)
    size = data.archive.size
    shapes = networks.variable_shapes(module, size)
    _check_batch_statistics(module, shapes, size, config)
    if begins:
        initialise = functools.partial(networks.initialise, module, size, config.seed)
        initial = read_initial_weights(
            config.model, config.init, config.init_architecture, shapes, initialise
        )
    else:
        zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
        initial = InitialWeights(zeros, None)
    variables = initial.variables
    if wanted := config.auxiliary.weights():
        variables = _with_heads(config, module, data, variables, list(wanted))
    steps = steps_per_epoch(data, config.data.copies, config.batch_size, config.data.balanced)
    restarts = config.optimizer.warm_restarts
    schedule = functools.partial(
        WarmRestarts,
        t_0=restarts.t_0,
        t_mult=restarts.t_mult,
        steps_per_epoch=steps,
        warm_up=round(config.optimizer.warm_up_epochs * steps),
    )
    rate = config.optimizer.learning_rate
    if isinstance(rate, dict):
        if rate.keys() != variables["params"].keys():
            raise ConfigError(
                f"optimizer.learning_rate: has rates for {sorted(rate)}, the network has the "
                f"groups {sorted(variables['params'])}"
            )
        schedules = {group: schedule(value) for group, value in rate.items()}
        logged_schedule = schedules["head"]
    else:
        schedules = logged_schedule = schedule(rate)
    optimizer = build_optimizer(config, schedules)
    averaged = config.ema_decay is not None
    # Jitted as a whole; otherwise the zeros of each shape would be compiled separately.
    state = jax.jit(lambda variables: create_state(variables, optimizer, config.seed, averaged))(
        variables
    )
    return Engine(
        mesh=mesh,
        train_step=jax.jit(
            make_train_step(
                module.apply,
                optimizer,
                dtype,
                config.accumulate,
                positive_weight(config, data),
                config.ema_decay,
                config.auxiliary.weights(),
            ),
            donate_argnums=0,
        ),
        eval_step=compile_in_thread(jax.jit(make_eval_step(module.apply, dtype))),
        state=jax.device_put(state, replicated_sharding(mesh)),
        origin=initial.origin,
        begins=begins,
        rate=logged_schedule.at,
        steps_per_epoch=steps,
    )


def build_optimizer(
    config: TrainConfig, rate: Rate | Mapping[str, Rate]
) -> optax.GradientTransformation:
    """Return the optimiser of a configuration at a rate, or at one for each group."""
    section = config.optimizer
    if isinstance(section, AdamWSection):
        return adamw(
            rate,
            section.beta1,
            section.beta2,
            section.epsilon,
            section.weight_decay,
            section.max_gradient_norm,
        )
    return sgd(rate, section.momentum, section.weight_decay, section.max_gradient_norm)


def _with_heads(
    config: TrainConfig,
    module: Any,
    data: PreparedData,
    variables: Mapping[str, Any],
    wanted: Sequence[str],
) -> dict[str, Any]:
    """Return the variables with the heads of auxiliary targets."""
    if config.model.backbone == "fusion":
        raise ConfigError("auxiliary: the fusion network has no map of its own; leave it out")
    targets = read_targets(data, wanted)
    image = jax.ShapeDtypeStruct((1, data.archive.size, data.archive.size, 1), jnp.float32)
    _, endpoints = jax.eval_shape(functools.partial(module.apply, train=False), variables, image)
    key = jax.random.fold_in(jax.random.key(config.seed), 1)
    heads = initial_heads(key, endpoints, targets.classes, targets.places is not None)
    return {**variables, "params": {**variables["params"], HEADS: heads}}


def positive_weight(config: TrainConfig, data: PreparedData) -> float:
    """Return the weight of an injured image in the loss; a normal one has weight 1."""
    if config.pos_weight != "balanced":
        return config.pos_weight
    labels = [data.rows[position].label for position in data.positions("train")]
    return (len(labels) - sum(labels)) / sum(labels)


def _check_batch_statistics(module: Any, shapes: Any, size: int, config: TrainConfig) -> None:
    """Raise `ConfigError` if a part of a batch is too small for its batch normalisation."""
    if config.batch_size > config.accumulate:
        return  # Two images have two values per channel, whatever the size of a map.
    image = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    apply = functools.partial(
        module.apply, train=True, mutable=["batch_stats"], rngs={"dropout": jax.random.key(0)}
    )
    try:
        jax.eval_shape(apply, shapes, image)
    except ValueError as error:
        raise ConfigError(
            f"batch_size: parts of one image ({config.batch_size} in {config.accumulate} parts) "
            f"teach this network nothing: {error}; lower accumulate"
        ) from error
