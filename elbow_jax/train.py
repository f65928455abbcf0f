"""Train one stage.

python -m elbow_jax.train --config F [--resume | --dry-run] [--field.sub value ...]

--resume goes on where a run stopped, or begins it; --dry-run builds and compiles, prints sizes,
memory and time, and writes nothing.
"""

from collections.abc import Sequence

import jax

from elbow_core import cli
from elbow_core.config import load_config, take_config_path
from elbow_core.config.help import describe_fields
from elbow_core.dataset.prepared import PreparedData, open_prepared
from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation.statistics.thresholds import choose_thresholds
from elbow_core.radiographs.preprocessing import Preprocessing
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import devices as parallel
from elbow_jax.runtime import interruption, startup
from elbow_jax.scoring.batches import sigmoid
from elbow_jax.scoring.released import write_released
from elbow_jax.training.checkpoints import Checkpoints
from elbow_jax.training.dry_run import describe, measure_cost
from elbow_jax.training.engine import Engine, build_engine, score_split, validate
from elbow_jax.training.leakage import find_lookalikes, refuse_seen_images
from elbow_jax.training.loop import fit
from elbow_jax.training.run_directory import RunDirectory, create_run, resume_run


def release(config: TrainConfig, data: PreparedData, engine: Engine, run: RunDirectory) -> None:
    """Write the weights of the best checkpoint, with thresholds chosen on validation."""
    with Checkpoints(run.checkpoints, read_only=True) as checkpoints:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"{run.checkpoints}: holds no checkpoint of a whole epoch")
        state, _ = checkpoints.restore(best, engine.state)
    labels, logits = score_split(engine, state, data, config.batch_size, "validation")
    figures = validate(engine, state, data, config.batch_size)
    if parallel.is_main():
        write_released(
            run.model,
            jax.device_get(state.variables),
            architecture=config.model,
            preprocessing=Preprocessing.model_validate(data.archive.settings),
            thresholds={"default": 0.5, **choose_thresholds(labels, sigmoid(logits))},
            labels=("normal", "injury"),
            validation=figures,
            step=best,
        )
    parallel.wait_for_all("released model")


def prepare_engine(config: TrainConfig) -> tuple[PreparedData, Engine]:
    """Open the data and build what computes; nothing is written.

    Raises:
        UserError: if anything the user gave cannot be used.
    """
    data = open_prepared(config.data.prepared)
    for split in ("train", "validation"):
        if not len(data.positions(split)):
            raise ConfigError(f"{data.directory}: no image in split {split!r}")
    if config.init is not None:
        refuse_seen_images(config.init, data)
    return data, build_engine(config, data)


def train(config: TrainConfig, resume: bool) -> int:
    """Run one stage from configuration to released model.

    Returns:
        0, or 143 if SIGTERM ended it after a checkpoint.

    Raises:
        UserError: if anything the user gave cannot be used; before the first step, but for a loss
            that is not finite and a disk that is full.
    """
    if resume and (run := RunDirectory(config.run)).model.is_dir():
        # Looked at before anything is built, so that a chain of stages skips what is done.
        resume_run(config, open_prepared(config.data.prepared))
        _say(f"{run.path}: finished already")
        return 0
    data, engine = prepare_engine(config)
    run = RunDirectory(config.run)
    if parallel.is_main():
        run = resume_run(config, data) if resume else create_run(config, data)
        _list_lookalikes(config, data, run)
    parallel.wait_for_all("run directory")
    if (step := fit(config, data, engine, run)) is not None:
        _say(f"{run.path}: stopped after step {step}, as asked; go on by --resume")
        return interruption.STATUS
    release(config, data, engine, run)
    _say(f"released model: {run.model}")
    return 0


def _list_lookalikes(config: TrainConfig, data: PreparedData, run: RunDirectory) -> None:
    if config.init is None or not len((found := find_lookalikes(config.init, data)).pairs):
        return
    found.write(run.near_duplicates)
    _say(
        f"{len(found.pairs)} images of the validation or test set look like images that an earlier "
        f"run has learnt from; {run.near_duplicates} lists them"
    )


def _say(text: str) -> None:
    if parallel.is_main():
        print(text)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments:
        print(f"{__doc__}\nFields:\n{describe_fields(TrainConfig)}")
        return 0
    flags = {"--resume", "--dry-run"} & set(arguments)
    if len(flags) > 1:
        raise ConfigError("--resume and --dry-run: give one of them")
    path, overrides = take_config_path([word for word in arguments if word not in flags])
    config = load_config(TrainConfig, path, overrides)
    startup.begin()
    parallel.join_processes()
    if "--dry-run" in flags:
        data, engine = prepare_engine(config)
        _say(describe(measure_cost(config, data, engine), config, data.archive.size))
        return 0
    return train(config, resume="--resume" in flags)


if __name__ == "__main__":
    cli.run(main)
