"""Train one stage: ``python -m elbow_jax.train --config F [--resume] [--field.sub value ...]``."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from elbow_core import cli
from elbow_core.config import load_config, take_config_path
from elbow_core.config_help import describe_fields
from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation.thresholds import choose_thresholds
from elbow_core.preprocess import Preprocessing
from elbow_jax import parallel, startup
from elbow_jax.checkpoint import Checkpoints
from elbow_jax.config import TrainConfig
from elbow_jax.data import PreparedData, image_ids, open_prepared, training_batches
from elbow_jax.engine import Engine, build_engine, score_split, validate
from elbow_jax.progress import TrainingProgress
from elbow_jax.released import write_released
from elbow_jax.run_directory import MetricsLog, RunDirectory, create_run, resume_run
from elbow_jax.scoring import sigmoid
from elbow_jax.transfer import refuse_seen_images


def fit(config: TrainConfig, data: PreparedData, engine: Engine, run: RunDirectory) -> None:
    """Train from the run's newest checkpoint, or from the start, to the last epoch.

    Raises:
        UserError: if the loss or the gradient stops being finite; the last good checkpoint stays.
    """
    batches = training_batches(
        data,
        batch_size=config.batch_size,
        seed=config.seed,
        copies=config.data.copies,
        augmentation=config.data.augmentation,
        redraw=config.data.redraw,
        workers=config.data.workers,
        process=(jax.process_index(), jax.process_count()),
    )
    total = config.epochs * engine.steps_per_epoch
    with Checkpoints(run.checkpoints) as checkpoints:
        state, first, losses = engine.state, 0, []
        if (latest := checkpoints.latest()) is not None:
            state, host = checkpoints.restore(latest, engine.state)
            batches.set_state(host["batches"])
            first, losses = latest, host["losses"]
        log = MetricsLog(run.metrics, after=first)
        pending: list[tuple[np.ndarray, Any]] = []
        with TrainingProgress(run.path.name, total, config.batch_size, done=first) as progress:
            for step in range(first + 1, total + 1):
                batch = next(batches)
                state, metrics = engine.train_step(state, parallel.to_devices(batch, engine.mesh))
                pending.append((batch["position"], metrics))
                epoch, ends_epoch = step / engine.steps_per_epoch, not step % engine.steps_per_epoch
                logs = ends_epoch or not step % config.log_every
                saves = ends_epoch or bool(
                    config.checkpoint_every and not step % config.checkpoint_every
                )
                if logs or saves:
                    losses += _fetch(pending, step, data, checkpoints)
                    pending = []
                if logs:
                    loss, rate = float(np.mean(losses)), float(engine.rate(step - 1))
                    log.write({"step": step, "epoch": epoch, "loss": loss, "learning_rate": rate})
                    progress.step(step, loss, rate)
                    losses = []
                score: float | None = None
                if ends_epoch:
                    figures = validate(engine, state, data, config.batch_size)
                    log.write({"step": step, "epoch": epoch, "validation": figures})
                    score = figures["auroc"]
                    progress.epoch(round(epoch), config.epochs, loss, score)
                if saves:
                    host = {"batches": batches.get_state(), "losses": losses}
                    checkpoints.save(step, state, host, score)
        checkpoints.wait()


def _fetch(
    pending: Sequence[tuple[np.ndarray, Any]],
    step: int,
    data: PreparedData,
    checkpoints: Checkpoints,
) -> list[float]:
    """Wait for the losses of the steps up to ``step`` and refuse those that are not finite."""
    losses = []
    first = step - len(pending) + 1
    for number, (positions, metrics) in enumerate(jax.device_get(list(pending)), first):
        loss, norm = float(metrics["loss"]), float(metrics["gradient_norm"])
        if not (math.isfinite(loss) and math.isfinite(norm)):
            kept = checkpoints.latest()
            raise UserError(
                f"step {number}: loss {loss}, gradient norm {norm}; the last good checkpoint is "
                f"{'none' if kept is None else f'step {kept}'}; lower optimizer.learning_rate or "
                f"look at the images of the batch: {', '.join(image_ids(data, positions))}"
            )
        losses.append(loss)
    return losses


def release(config: TrainConfig, data: PreparedData, engine: Engine, run: RunDirectory) -> None:
    """Write the weights of the best checkpoint, with thresholds chosen on validation."""
    with Checkpoints(run.checkpoints, read_only=True) as checkpoints:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"{run.checkpoints}: holds no checkpoint of a whole epoch")
        state, _ = checkpoints.restore(best, engine.state)
    labels, logits = score_split(engine, state, data, config.batch_size, "validation")
    write_released(
        run.model,
        jax.device_get(state.variables),
        architecture=config.model,
        preprocessing=Preprocessing.model_validate(data.archive.settings),
        thresholds={"default": 0.5, **choose_thresholds(labels, sigmoid(logits))},
        labels=("normal", "injury"),
        validation=validate(engine, state, data, config.batch_size),
        step=best,
    )


def train(config: TrainConfig, resume: bool) -> RunDirectory:
    """Run one stage from configuration to released model.

    Raises:
        UserError: if anything the user gave cannot be used; before the first step, but for a loss
            that is not finite.
    """
    data = open_prepared(config.data.prepared)
    for split in ("train", "validation"):
        if not len(data.positions(split)):
            raise ConfigError(f"{data.directory}: no image in split {split!r}")
    if config.init is not None:
        refuse_seen_images(config.init, data)
    engine = build_engine(config, data)
    run = resume_run(config, data) if resume else create_run(config, data)
    if run.model.is_dir():
        print(f"{run.path}: finished already")
        return run
    fit(config, data, engine, run)
    release(config, data, engine, run)
    return run


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments:
        print(f"{__doc__}\n\nFields:\n{describe_fields(TrainConfig)}")
        return 0
    path, overrides = take_config_path([word for word in arguments if word != "--resume"])
    config = load_config(TrainConfig, path, overrides)
    startup.begin()
    run = train(config, resume="--resume" in arguments)
    print(f"released model: {run.model}")
    return 0


if __name__ == "__main__":
    cli.run(main)
