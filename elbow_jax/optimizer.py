"""Stochastic gradient descent as torch has it, with cosine warm restarts and a rate per group."""

from collections.abc import Mapping
from typing import Any

import optax


def warm_restarts(
    learning_rate: float, t_0: int, t_mult: int, steps_per_epoch: int, epochs: int
) -> optax.Schedule:
    """Return the learning rate as a function of the step: a cosine that restarts.

    Within a cycle of ``t_i`` epochs the rate is ``learning_rate / 2 * (1 + cos(pi * t / t_i))``
    with ``t`` the fractional epoch since the restart; cycles last ``t_0``, ``t_0 * t_mult``,
    ``t_0 * t_mult**2``, ... epochs.

    Args:
        learning_rate: rate at the start of every cycle.
        t_0: epochs of the first cycle, at least 1.
        t_mult: factor from one cycle's length to the next, at least 1.
        steps_per_epoch: optimiser steps in one epoch.
        epochs: epochs of the run. Cycles are laid out until they cover it; after its last cycle
            `optax.sgdr_schedule` would stay at zero.

    Raises:
        ValueError: if a count is below 1.

    Reference: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts",
    ICLR 2017; stepped per batch as `torch.optim.lr_scheduler.CosineAnnealingWarmRestarts`.
    """
    counts = {"t_0": t_0, "t_mult": t_mult, "steps_per_epoch": steps_per_epoch, "epochs": epochs}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    cycles, covered, length = [], 0, t_0
    while covered <= epochs:  # one cycle more than the run, so that its last step has a rate
        cycles.append(
            {
                "init_value": learning_rate,
                "peak_value": learning_rate,
                "warmup_steps": 0,
                "decay_steps": length * steps_per_epoch,
                "end_value": 0.0,
            }
        )
        covered += length
        length *= t_mult
    return optax.sgdr_schedule(cycles)


def sgd(
    schedule: optax.Schedule | Mapping[str, optax.Schedule], momentum: float, weight_decay: float
) -> optax.GradientTransformation:
    """Return SGD with momentum and weight decay in the order of `torch.optim.SGD`.

    The decay ``weight_decay * p`` joins the gradient before momentum: ``b = momentum * b + g +
    weight_decay * p``, then ``p -= rate * b``. Every parameter decays, biases and normalisation
    too, as in torch when it is given ``model.parameters()``.

    Args:
        schedule: the rate by step, or one for each top-level key of the parameter tree.
        momentum: factor on the running sum of gradients, in [0, 1).
        weight_decay: factor on the parameters.
    """

    def descend(rate: optax.Schedule) -> optax.GradientTransformation:
        return optax.chain(
            optax.add_decayed_weights(weight_decay),
            optax.trace(decay=momentum),
            optax.scale_by_learning_rate(rate),
        )

    if isinstance(schedule, Mapping):
        return optax.partition({group: descend(rate) for group, rate in schedule.items()}, _groups)
    return descend(schedule)


def _groups(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Label each top-level subtree with its own key."""
    return {key: key for key in parameters}
