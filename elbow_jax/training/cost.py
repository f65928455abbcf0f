"""Measure the memory and time of a run by compiling its training step and running it briefly."""

import time
from dataclasses import dataclass
from typing import Any

import jax

from elbow_core.dataset import PreparedData
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import run_in_thread, to_devices
from elbow_jax.training.engine import Engine
from elbow_jax.training.loop import open_batches

_TIMED_STEPS = 3


@dataclass(frozen=True)
class Cost:
    """The cost of one stage of training.

    Attributes:
        images: in the training, validation and test sets, without augmented copies.
        parameters: trained numbers of the network.
        state_bytes: parameters, statistics and momentum: the memory of a device between two steps,
            and about the size of a checkpoint on disk.
        step_bytes: additional memory of a device during a step; None if XLA does not report it.
        compile_seconds: of the training step; less if the compilation cache holds it.
        step_seconds: the median of a few steps after the first, loading of data included.
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
    """Compile the training step and run it on the first batches; nothing is written."""
    batches = open_batches(config, data)
    batch = to_devices(next(batches), engine.mesh)
    state = engine.state
    leaves, structure = jax.tree.flatten((state, batch))

    def step_on_leaves(*leaves: jax.Array) -> Any:
        return engine.train_step(*structure.unflatten(leaves))

    start = time.perf_counter()
    donated = tuple(range(len(jax.tree.leaves(state))))
    # On leaves: lowering rebuilds pytrees from objects that are not arrays, and the annotations of
    # TrainState, which tests check, refuse them.
    lowered = jax.jit(step_on_leaves, donate_argnums=donated).lower(*leaves)
    step = run_in_thread(lowered.compile)
    compile_seconds = time.perf_counter() - start
    memory = step.memory_analysis()
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
    state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    step_seconds = []
    for _ in range(1 + _TIMED_STEPS):
        start = time.perf_counter()
        state, metrics = step(*jax.tree.leaves((state, batch)))
        batch = to_devices(next(batches), engine.mesh)
        jax.block_until_ready(metrics)
        step_seconds.append(time.perf_counter() - start)
    train, validation, test = (
        len(data.positions(split)) for split in ("train", "validation", "test")
    )
    return Cost(
        images=(train, validation, test),
        parameters=parameters,
        state_bytes=state_bytes,
        step_bytes=None if memory is None else memory.temp_size_in_bytes,
        compile_seconds=compile_seconds,
        step_seconds=sorted(step_seconds[1:])[_TIMED_STEPS // 2],
        steps_per_epoch=engine.steps_per_epoch,
        epochs=config.epochs,
    )


def describe_cost(cost: Cost, config: TrainConfig, image_size: int) -> str:
    """Return a few lines of text about a cost."""
    train, validation, test = cost.images
    device = jax.devices()[0]
    epoch_minutes = cost.steps_per_epoch * cost.step_seconds / 60
    step_memory = "unknown" if cost.step_bytes is None else f"{cost.step_bytes / 2**20:,.0f} MiB"
    network = f"{config.model.backbone} ({config.model.variant})"
    lines = [
        f"network      {network}, {cost.parameters:,} parameters",
        f"images       {image_size} x {image_size} pixels: {train} for training, each with "
        f"{config.data.copies} augmented copies, {validation} for validation, {test} for the test",
        f"devices      {jax.device_count()} x {device.device_kind} ({device.platform})",
        f"batch        {config.batch_size} images in {config.accumulate} part(s)",
        f"memory       {cost.state_bytes / 2**20:,.0f} MiB of state on each device, "
        f"{step_memory} more in a step",
        f"compilation  {cost.compile_seconds:.0f} s",
        f"time         {cost.step_seconds:.3f} s a step, {cost.steps_per_epoch} steps or "
        f"{epoch_minutes:.1f} min an epoch (without validation), "
        f"{cost.epochs * epoch_minutes / 60:.1f} h for {cost.epochs} epochs",
    ]
    return "\n".join(lines)
