"""What a run would cost: its network built, its step compiled and timed, nothing written."""

import time
from dataclasses import dataclass
from typing import Any

import jax

from elbow_core.dataset.prepared import PreparedData
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import devices as parallel
from elbow_jax.runtime.compilation import aside
from elbow_jax.training.engine import Engine
from elbow_jax.training.loop import open_batches

_TIMED_STEPS = 3


@dataclass(frozen=True)
class Cost:
    """Of one stage of training.

    Attributes:
        images: in the training, validation and test sets, originals alone.
        parameters: trained numbers of the network.
        state_bytes: parameters, statistics and momentum: what a device holds between two steps,
            and about what a checkpoint takes on disk.
        step_bytes: what a device needs beside that during a step; None where XLA does not tell.
        compile_seconds: of the training step; less where the compilation cache knows it.
        step_seconds: the median of a few steps after the first, data included.
        steps_per_epoch: optimiser steps.
        epochs: of the run.
    """

    images: tuple[int, int, int]
    parameters: int
    state_bytes: int
    step_bytes: int | None
    compile_seconds: float
    step_seconds: float
    steps_per_epoch: int
    epochs: int


def measure_cost(config: TrainConfig, data: PreparedData, engine: Engine) -> Cost:
    """Compile the training step and take a few steps on the first batches."""
    batches = open_batches(config, data)
    batch = parallel.to_devices(next(batches), engine.mesh)
    state = engine.state
    leaves, structure = jax.tree.flatten((state, batch))

    def step_of_leaves(*leaves: jax.Array) -> Any:
        return engine.train_step(*structure.unflatten(leaves))

    began = time.perf_counter()
    donated = tuple(range(len(jax.tree.leaves(state))))
    # Of leaves, since lowering rebuilds trees from descriptions that are no arrays.
    lowered = jax.jit(step_of_leaves, donate_argnums=donated).lower(*leaves)
    step = aside(lowered.compile)
    compile_seconds = time.perf_counter() - began
    memory = step.memory_analysis()
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    taken = []
    for _ in range(1 + _TIMED_STEPS):
        began = time.perf_counter()
        state, metrics = step(*jax.tree.leaves((state, batch)))
        batch = parallel.to_devices(next(batches), engine.mesh)
        jax.block_until_ready(metrics)
        taken.append(time.perf_counter() - began)
    train, validation, test = (
        len(data.positions(split)) for split in ("train", "validation", "test")
    )
    return Cost(
        images=(train, validation, test),
        parameters=parameters,
        state_bytes=state_bytes,
        step_bytes=None if memory is None else memory.temp_size_in_bytes,
        compile_seconds=compile_seconds,
        step_seconds=sorted(taken[1:])[_TIMED_STEPS // 2],
        steps_per_epoch=engine.steps_per_epoch,
        epochs=config.epochs,
    )


def describe(cost: Cost, config: TrainConfig, image_size: int) -> str:
    """A few lines for a person who wonders whether to begin."""
    train, validation, test = cost.images
    device = jax.devices()[0]
    epoch_minutes = cost.steps_per_epoch * cost.step_seconds / 60
    beside = "unknown" if cost.step_bytes is None else f"{cost.step_bytes / 2**20:,.0f} MiB"
    network = f"{config.model.backbone} ({config.model.variant})"
    lines = [
        f"network      {network}, {cost.parameters:,} parameters",
        f"images       {image_size} x {image_size} pixels: {train} for training, each with "
        f"{config.data.copies} augmented copies, {validation} for validation, {test} for the test",
        f"devices      {jax.device_count()} x {device.device_kind} ({device.platform})",
        f"batch        {config.batch_size} images in {config.accumulate} part(s)",
        f"memory       {cost.state_bytes / 2**20:,.0f} MiB of state on each device, "
        f"{beside} more in a step",
        f"compilation  {cost.compile_seconds:.0f} s",
        f"time         {cost.step_seconds:.3f} s a step, {cost.steps_per_epoch} steps or "
        f"{epoch_minutes:.1f} min an epoch (validation apart), "
        f"{cost.epochs * epoch_minutes / 60:.1f} h for {cost.epochs} epochs",
    ]
    return "\n".join(lines)
