"""The training loop: steps, a log, validation after each epoch, checkpoints."""

import math
from collections.abc import Sequence
from contextlib import closing, nullcontext
from typing import Any

import jax
import numpy as np

from elbow_core.dataset import PreparedData
from elbow_core.errors import UserError
from elbow_core.processes import Interrupted
from elbow_jax.config import TrainConfig
from elbow_jax.data import Batches, image_ids, position_of, training_batches
from elbow_jax.runtime import Interruption, compile_in_thread, process, to_devices
from elbow_jax.targets import read_targets
from elbow_jax.training.checkpoints import Checkpoints
from elbow_jax.training.engine import Engine
from elbow_jax.training.progress import TrainingProgress
from elbow_jax.training.run_directory import MetricsLog, RunDirectory
from elbow_jax.training.tensorboard import Curves, contact_sheet
from elbow_jax.training.validation import validate


def fit(
    config: TrainConfig,
    data: PreparedData,
    engine: Engine,
    run: RunDirectory,
    interruption: Interruption,
) -> int | None:
    """Train from the run's newest checkpoint, or from the initial state, to the last epoch.

    The host waits for the device at log steps, at checkpoints and for validation, and nowhere else.

    Returns:
        None at the end of training; after a signal, the step of the checkpoint written then.

    Raises:
        UserError: if a loss or a gradient is not finite; the last good checkpoint stays.
    """
    total = config.epochs * engine.steps_per_epoch
    train_step = compile_in_thread(engine.train_step)  # not in Engine: a dry run traces its step
    with (
        closing(open_batches(config, data)) as batches,
        Checkpoints(run.checkpoints) as checkpoints,
    ):
        state, first = engine.state, 0
        losses: list[float] = []
        aurocs: list[float] = []
        if (restored := checkpoints.restore_latest(engine.state)) is not None:
            first, state, host = restored
            batches.set_state(position_of(host["batches"]))
            losses, aurocs = host["losses"], host["scores"]
        elif not engine.begins:
            raise UserError(
                f"{run.checkpoints}: holds no checkpoint any more; start again with another `run:`"
            )
        log = MetricsLog(run.metrics, after=first)
        pending: list[tuple[np.ndarray, Any]] = []
        saved, position = first, None
        curves = Curves(run.tensorboard, first, config.tensorboard)
        with TrainingProgress(run.path.name, total, config.batch_size, done=first) as progress:
            for step in range(first + 1, total + 1):
                if should_stop(aurocs, config.early_stopping):
                    progress.say(f"no better validation AUROC in {config.early_stopping} epochs")
                    break
                try:
                    with interruption.waiting():
                        batch = next(batches)
                except Interrupted:
                    if step - 1 > saved:
                        losses += _fetch(pending, step - 1, data, checkpoints)
                        host = {"batches": position, "losses": losses, "scores": aurocs}
                        checkpoints.save(step - 1, state, host, None)
                    checkpoints.wait()
                    return step - 1
                # Every process has read the same number of batches: one state serves all.
                position = batches.get_state()
                if step == 1:
                    curves.image("augmented training images", contact_sheet(batch["image"]), step)
                with progress.compiling() if step == first + 1 else nullcontext():
                    state, metrics = train_step(state, to_devices(batch, engine.mesh))
                pending.append((batch["position"], metrics))
                epoch, ends_epoch = step / engine.steps_per_epoch, not step % engine.steps_per_epoch
                logs = ends_epoch or not step % config.log_every
                interval = config.checkpoint_every
                saves = ends_epoch or bool(interval and not step % interval)
                interrupted = interruption.requested(synchronised=logs or saves)
                if logs or saves or interrupted:
                    losses += _fetch(pending, step, data, checkpoints)
                    pending = []
                rows = []
                if logs:
                    loss, rate = float(np.mean(losses)), float(engine.rate(step - 1))
                    rows.append({"step": step, "epoch": epoch, "loss": loss, "learning_rate": rate})
                    progress.step(step, loss, rate)
                    losses = []
                auroc: float | None = None
                if ends_epoch:
                    validation = validate(engine, state, data, config.batch_size)
                    rows.append({"step": step, "epoch": epoch, **validation})
                    auroc = max(metrics["auroc"] for metrics in validation.values())
                    aurocs = [*aurocs, auroc]
                    progress.epoch(round(epoch), config.epochs, loss, auroc)
                for row in rows:
                    log.write(row)
                    curves.write(row)
                if saves or interrupted:
                    host = {"batches": position, "losses": losses, "scores": aurocs}
                    checkpoints.save(step, state, host, auroc)
                    saved = step
                if interrupted:
                    checkpoints.wait()
                    return step
        checkpoints.wait()
    return None


def open_batches(config: TrainConfig, data: PreparedData) -> Batches:
    """Return this process's training batches for a configuration."""
    wanted = config.auxiliary.weights()
    return training_batches(
        data,
        batch_size=config.batch_size,
        seed=config.seed,
        copies=config.data.copies,
        augmentation=config.data.augmentation,
        redraw=config.data.redraw,
        balanced=config.data.balanced,
        workers=config.data.workers,
        process=process(),
        targets=read_targets(data, list(wanted)) if wanted else None,
    )


def should_stop(aurocs: Sequence[float], patience: int | None) -> bool:
    """Return whether the last `patience` epochs have not improved the best AUROC."""
    return patience is not None and len(aurocs) - 1 - int(np.argmax([*aurocs, -1])) >= patience


def _fetch(
    pending: Sequence[tuple[np.ndarray, Any]],
    step: int,
    data: PreparedData,
    checkpoints: Checkpoints,
) -> list[float]:
    """Return the losses of the pending steps, which end at ``step``; refuse non-finite ones."""
    losses = []
    first = step - len(pending) + 1
    for number, (positions, metrics) in enumerate(jax.device_get(list(pending)), first):
        loss, norm = float(metrics["loss"]), float(metrics["gradient_norm"])
        if not (math.isfinite(loss) and math.isfinite(norm)):
            latest = checkpoints.latest()
            raise UserError(
                f"step {number}: loss {loss}, gradient norm {norm}; the last good checkpoint is "
                f"{'none' if latest is None else f'step {latest}'}; lower optimizer.learning_rate "
                f"or check the images of the batch: {', '.join(image_ids(data, positions))}"
            )
        losses.append(loss)
    return losses
