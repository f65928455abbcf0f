"""Where a run's first weights come from: a finished run, three of them, or published weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from elbow_core.errors import ConfigError
from elbow_jax.models import ModelConfig
from elbow_jax.models.fusion import fuse_variables
from elbow_jax.networks import shapes_by_path
from elbow_jax.pretrained import read_weights, start_from_weights
from elbow_jax.released import read_released
from elbow_jax.run_directory import RunDirectory

Init = str | Mapping[str, str]


def start_from(init: Init, config: ModelConfig, variables: dict[str, Any]) -> dict[str, Any]:
    """Return the variables that a run begins with.

    Args:
        init: the directory of a finished run of the same network; for the fusion network one for
            each backbone; or published weights, by their tag or file.
        config: the network.
        variables: its initial variables; what `init` does not hold keeps its values.

    Raises:
        UserError: if `init` cannot be read, is not finished, or is of another network.
    """
    if isinstance(init, Mapping):
        if config.backbone != "fusion":
            raise ConfigError(f"init: several runs start the fusion network, not {config.backbone}")
        trained = {name: _finished(Path(path), name) for name, path in init.items()}
        try:
            return jax.tree.map(jnp.asarray, fuse_variables(variables, trained))
        except ValueError as error:
            raise ConfigError(f"init: {error}") from error
    if not Path(init).is_dir():
        weights = read_weights(init, None if config.backbone == "fusion" else config.backbone)
        return jax.tree.map(jnp.asarray, start_from_weights(weights, config, variables))
    started = _finished(Path(init), config.backbone)
    want, have = shapes_by_path(variables), shapes_by_path(started)
    if want != have:
        key = min(key for key in want.keys() | have.keys() if want.get(key) != have.get(key))
        raise ConfigError(
            f"init: {init} is of another network: {key} is {have.get(key, 'missing')} there and "
            f"{want.get(key, 'missing')} here; give both runs the same `model:`"
        )
    return jax.tree.map(jnp.asarray, started)


def _finished(path: Path, backbone: str) -> dict[str, Any]:
    """Return the variables that a run released, checked to be of a backbone by its name."""
    run = RunDirectory(path)
    if not run.model.is_dir():
        raise ConfigError(f"init: {path} is not finished; go on with it by --resume first")
    released = read_released(run.model)
    if released.card.architecture.backbone != backbone:
        theirs = released.card.architecture.backbone
        raise ConfigError(f"init: {path} is of another network: {theirs}, not {backbone}")
    return released.variables
