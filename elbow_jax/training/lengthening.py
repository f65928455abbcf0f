"""Lengthen a run: more epochs than it began with, from its last checkpoint.

The learning rate's cycles do not depend on the number of epochs, so that a lengthened run passes
through the states of one that had the larger number from the beginning.
"""

from collections.abc import Mapping
from pathlib import Path

from elbow_core.errors import ConfigError
from elbow_core.runs import Change
from elbow_jax.training.engine import Engine
from elbow_jax.training.run_directory import RunDirectory


def set_model_aside(run: RunDirectory, changes: Mapping[str, Change]) -> None:
    """Rename the model of a finished run that is lengthened: a run with a model is finished.

    Raises:
        ConfigError: if a folder of the new name exists.
    """
    if run.model.is_dir():
        former = _former_model(run, changes)
        if former.exists():
            raise ConfigError(f"{former}: already exists; move it away to lengthen the run")
        run.model.rename(former)


def describe_changes(run: RunDirectory, changes: Mapping[str, Change], engine: Engine) -> None:
    """Print what changed since the run began, and what more epochs mean for the learning rate."""
    others = [name for name in changes if name != "epochs"]
    if others:
        print(f"{run.path}: resumed with another {', '.join(others)}; {run.record} records it")
    if "epochs" in changes:
        before, after = changes["epochs"]
        rate = float(engine.rate(before * engine.steps_per_epoch))
        print(
            f"{run.path}: lengthened from {before} to {after} epochs; the learning rate goes on in "
            f"its cycles, with {rate:.1e} after epoch {before}"
        )
        if (former := _former_model(run, changes)).is_dir():
            print(
                f"{run.path}: {former} is the model of {before} epochs; predictions and reports "
                "that exist here are of that one"
            )


def _former_model(run: RunDirectory, changes: Mapping[str, Change]) -> Path:
    return run.path / f"model_{changes['epochs'].before}_epochs"
