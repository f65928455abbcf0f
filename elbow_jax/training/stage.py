"""Run one stage of training, from a configuration to a released model."""

import jax

from elbow_core.dataset import PreparedData, open_prepared
from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation.statistics import DEFAULT_THRESHOLD, choose_thresholds
from elbow_core.radiographs import Preprocessing
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import Interruption, is_main, wait_for_all
from elbow_jax.scoring import sigmoid, write_released
from elbow_jax.training.checkpoints import Checkpoints
from elbow_jax.training.cost import describe_cost, measure_cost
from elbow_jax.training.engine import Engine, build_engine
from elbow_jax.training.leakage import find_leaked_near_duplicates, refuse_leakage
from elbow_jax.training.loop import fit
from elbow_jax.training.run_directory import RunDirectory, create_run, resume_run
from elbow_jax.training.validation import score_split, validation_metrics


def run_stage(config: TrainConfig, resume: bool) -> int:
    """Run one stage from its configuration to a released model.

    Returns:
        0, or 143 if a signal stopped it after a checkpoint (130 for Ctrl-C).

    Raises:
        UserError: if the configuration or the data cannot be used, before the first step; later if
            a loss is not finite or the disk is full.
    """
    if resume and (run := RunDirectory(config.run)).model.is_dir():
        # Checked before the engine is built, so that a chain of stages skips finished ones quickly.
        resume_run(config, open_prepared(config.data.prepared))
        _print_once(f"{run.path}: finished already")
        return 0
    data, engine = prepare_stage(config)
    run = RunDirectory(config.run)
    if is_main():
        run = resume_run(config, data) if resume else create_run(config, data)
        record_near_duplicates(config, data, run)
    wait_for_all("run directory")
    with Interruption() as interruption:
        step = fit(config, data, engine, run, interruption)
    if step is not None:
        signal = interruption.received or "a signal to another process"
        _print_once(f"{run.path}: stopped by {signal} after step {step}; continue with --resume")
        return interruption.status
    release(config, data, engine, run)
    _print_once(f"released model: {run.model}")
    return 0


def print_cost(config: TrainConfig) -> None:
    """Build and compile a stage, and print its sizes, memory and time; nothing is written.

    Raises:
        UserError: if the configuration or the data cannot be used.
    """
    data, engine = prepare_stage(config)
    cost = measure_cost(config, data, engine)
    _print_once(describe_cost(cost, config, data.archive.size))


def prepare_stage(config: TrainConfig) -> tuple[PreparedData, Engine]:
    """Open the data, check it for leakage and build the engine; nothing is written.

    Raises:
        UserError: if the configuration or the data cannot be used.
    """
    data = open_prepared(config.data.prepared)
    for split in ("train", "validation"):
        if not len(data.positions(split)):
            raise ConfigError(f"{data.directory}: no image in split {split!r}")
    if config.init is not None:
        refuse_leakage(config.init, data)
    return data, build_engine(config, data)


def release(config: TrainConfig, data: PreparedData, engine: Engine, run: RunDirectory) -> None:
    """Write the weights of the best checkpoint, with thresholds chosen on the validation set.

    Raises:
        UserError: if there is no checkpoint at the end of an epoch.
    """
    with Checkpoints(run.checkpoints, read_only=True) as checkpoints:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"{run.checkpoints}: holds no checkpoint at the end of an epoch")
        state, _ = checkpoints.restore(best, engine.state)
    labels, logits = score_split(engine, state, data, config.batch_size, "validation")
    if is_main():
        write_released(
            run.model,
            jax.device_get(state.variables),
            architecture=config.model,
            preprocessing=Preprocessing.model_validate(data.archive.settings),
            thresholds={"default": DEFAULT_THRESHOLD, **choose_thresholds(labels, sigmoid(logits))},
            labels=("normal", "injury"),
            validation=validation_metrics(labels, logits),
            step=best,
        )
    wait_for_all("released model")


def record_near_duplicates(config: TrainConfig, data: PreparedData, run: RunDirectory) -> None:
    """Write the near-duplicates of earlier runs' images to the run, and print their number."""
    if config.init is None:
        return
    leaked = find_leaked_near_duplicates(config.init, data)
    if not len(leaked.pairs):
        return
    leaked.write(run.near_duplicates)
    _print_once(
        f"{len(leaked.pairs)} images of the validation or test set are near-duplicates of images "
        f"that trained or validated an earlier run; {run.near_duplicates} lists them"
    )


def _print_once(text: str) -> None:
    """Print from the main process only."""
    if is_main():
        print(text)
