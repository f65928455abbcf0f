"""Run one stage of training, from a configuration to a released model."""

import contextlib

from elbow_core.dataset import (
    PreparedData,
    SeenImages,
    images_learnt_from,
    open_fold,
    seen_by_run,
)
from elbow_core.errors import ConfigError
from elbow_core.files import require_room, require_writable
from elbow_core.runs import check_new, describe_stop, lock_run, naming_full_disk
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import Interruption, is_main, wait_for_all
from elbow_jax.training.checkpoints import has_checkpoint, size_of
from elbow_jax.training.cost import describe_cost, measure_cost
from elbow_jax.training.engine import Engine, build_engine
from elbow_jax.training.initial import (
    find_leaked_near_duplicates,
    missing_weights,
    refuse_leakage,
    seen_before,
)
from elbow_jax.training.lengthening import describe_changes, set_model_aside
from elbow_jax.training.loop import fit
from elbow_jax.training.releasing import release
from elbow_jax.training.run_directory import (
    RunDirectory,
    check_resume,
    create_run,
    recorded_origin,
    resume_run,
)
from elbow_jax.training.tensorboard import require_tensorboard


def run_stage(config: TrainConfig, resume: bool) -> int:
    """Run one stage from its configuration to a released model.

    Returns:
        0, or 143 if a signal stopped it after a checkpoint (130 for Ctrl-C).

    Raises:
        UserError: if the configuration, the data or the disk cannot be used, or another process
            trains the run, before the first step; later if a loss is not finite or the disk is
            full.
    """
    run = RunDirectory(config.run)
    with contextlib.ExitStack() as stack:
        if resume and run.config.is_file():
            if _is_finished(config, run):
                return 0
            if is_main():
                stack.enter_context(lock_run(run.path))
                if _is_finished(config, run):  # by the process that held the lock
                    return 0
            data, engine, seen = _continue(config, run)
        else:
            data, engine, seen = _begin(config, run, resume)
            if is_main():
                stack.enter_context(lock_run(run.path))
        if is_main():
            record_near_duplicates(config, data, run)
        wait_for_all("run directory")
        with naming_full_disk(run.path):
            with Interruption() as interruption:
                step = fit(config, data, engine, run, interruption)
            if step is None:
                release(config, data, engine, run, seen)
    if step is not None:
        _print_once(describe_stop(run.path, interruption, step))
        return interruption.status
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
    data = open_fold(config.data.prepared, config.data.fold)
    return data, _build(config, data, begins=True)


def _is_finished(config: TrainConfig, run: RunDirectory) -> bool:
    """Return whether a run is finished, and say so; checked before the engine is built."""
    changes = check_resume(config, open_fold(config.data.prepared, config.data.fold))
    if not run.model.is_dir() or "epochs" in changes:
        return False
    _print_once(f"{run.path}: finished already")
    return True


def _begin(
    config: TrainConfig, run: RunDirectory, resume: bool
) -> tuple[PreparedData, Engine, SeenImages]:
    """Check all that a new run needs, then create its directory."""
    if is_main():
        check_new(run.path)
        require_writable(run.path)
    _require_packages(config)
    data, engine = prepare_stage(config)
    seen = images_learnt_from(data) | seen_before(config.init, engine.origin)
    if is_main():
        require_room(run.path, size_of(engine.state), "the first checkpoint")
        if resume and run.config.is_file():
            raise ConfigError(f"{run.path}: was begun by another process meanwhile")
        create_run(config, data, seen, engine.origin)
    return data, engine, seen


def _continue(config: TrainConfig, run: RunDirectory) -> tuple[PreparedData, Engine, SeenImages]:
    """Check all that a run needs which resumes, then record it."""
    data = open_fold(config.data.prepared, config.data.fold)
    changes = check_resume(config, data)
    begins = not has_checkpoint(run.checkpoints)
    if begins and run.model.is_dir():
        raise ConfigError(
            f"{run.checkpoints}: holds no checkpoint from which the run could be lengthened; "
            "restore it, or give another `run:`"
        )
    _require_packages(config)
    seen = seen_by_run(run.path)
    if seen is None:  # a run that an earlier version began
        seen = images_learnt_from(data) | seen_before(config.init, recorded_origin(run.path))
    engine = _build(config, data, begins)
    if is_main():
        require_writable(run.path)
        require_room(run.path, size_of(engine.state), "the next checkpoint")
        set_model_aside(run, changes)
        resume_run(config, data)
        describe_changes(run, changes, engine)
        if missing := missing_weights(config.init):
            print(f"init: {', '.join(missing)}: no longer exists; the checkpoint takes its place")
    return data, engine, seen


def _require_packages(config: TrainConfig) -> None:
    if config.tensorboard:
        require_tensorboard()


def _build(config: TrainConfig, data: PreparedData, begins: bool) -> Engine:
    for split in ("train", "validation"):
        labels = {data.rows[position].label for position in data.positions(split)}
        if not labels:
            raise ConfigError(f"{data.directory}: no image in split {split!r}")
        if len(labels) == 1:
            only = ("normal", "injured")[labels.pop()]
            raise ConfigError(
                f"{data.directory}: the split {split!r} holds {only} images alone; "
                "a network needs both classes"
            )
    if config.init is not None:
        refuse_leakage(config.init, data)
    return build_engine(config, data, begins)


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
