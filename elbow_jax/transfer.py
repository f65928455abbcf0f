"""Where a run's first weights come from: another run, of the same network and of other images."""

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from elbow_core.config import load_config
from elbow_core.errors import ConfigError
from elbow_core.manifest import read_manifest
from elbow_core.splits import check_disjoint
from elbow_jax.config import TrainConfig
from elbow_jax.data import PreparedData
from elbow_jax.models import ModelConfig
from elbow_jax.networks import shapes_by_path
from elbow_jax.released import read_released
from elbow_jax.run_directory import RunDirectory


def start_from_run(path: Path, config: ModelConfig, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a finished run, checked to be of the same network.

    Args:
        path: the run's directory.
        config: the network to start.
        variables: its initial variables, whose shapes the run's must have.

    Raises:
        ConfigError: if the run is not finished or is of another network.
    """
    run = RunDirectory(path)
    if not run.model.is_dir():
        raise ConfigError(f"init: {path} is not finished; go on with it by --resume first")
    released = read_released(run.model)
    theirs = released.card.architecture
    if theirs.backbone != config.backbone:
        raise ConfigError(f"init: {path} is a {theirs.backbone}, this run a {config.backbone}")
    want = shapes_by_path(variables)
    have = shapes_by_path(released.variables)
    if want != have:
        key = min(key for key in want.keys() | have.keys() if want.get(key) != have.get(key))
        raise ConfigError(
            f"init: {path} is of another network: {key} is {have.get(key, 'missing')} there and "
            f"{want.get(key, 'missing')} here; give both runs the same `model:`"
        )
    return jax.tree.map(jnp.asarray, released.variables)


def refuse_seen_images(path: Path, data: PreparedData) -> None:
    """Refuse to start from a run that has learnt from images which are to judge this one.

    No image or patient that the run, or one that it started from, was trained on may stand in the
    validation or test set of `data`; none that chose its weights in the test set. Where a run's
    prepared images are no longer there, that is said on standard error and not checked.

    Raises:
        ConfigError: if one of these is not a run.
        ManifestError: naming the images or patients.
    """
    began: Path | None = path
    while began is not None:
        if not RunDirectory(began).config.is_file():
            raise ConfigError(f"init: {began} is not a run (it has no config.yaml)")
        config = load_config(TrainConfig, RunDirectory(began).config)
        manifest = config.data.prepared / "manifest.csv"
        if manifest.is_file():
            seen = read_manifest(manifest)
            for theirs, ours in (("train", ("validation", "test")), ("validation", ("test",))):
                check_disjoint(
                    [row for row in seen if row.split == theirs],
                    [row for row in data.rows if row.split in ours],
                )
        else:
            print(
                f"{began}: its images ({manifest.parent}) are gone, so that they could not be "
                f"compared with those of {data.directory}",
                file=sys.stderr,
            )
        began = config.init
