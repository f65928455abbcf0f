"""Where a run's first weights come from: a finished run, three of them, or published weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from elbow_core.errors import ConfigError
from elbow_jax.models import ModelConfig
from elbow_jax.models.fusion import fuse_variables
from elbow_jax.networks import shapes_by_path
from elbow_jax.porting.published import read_weights, start_from_weights
from elbow_jax.scoring.released import read_released
from elbow_jax.training.run_directory import RunDirectory

Init = str | Mapping[str, str]
Draw = Callable[[str | None], dict[str, Any]]


def first_variables(
    config: ModelConfig, init: Init | None, shapes: Mapping[str, Any], draw: Draw
) -> dict[str, Any]:
    """Return the variables that a run begins with: drawn, but for what `init` holds.

    Args:
        config: the network.
        init: the directory of a finished run of the same network; for the fusion network one for
            each backbone; published weights, by their tag or file; or nothing.
        shapes: of the network's variables.
        draw: draws them; of one part of the network, such as its head, where that is named.

    Raises:
        UserError: if `init` cannot be read, is not finished, or is of another network.
    """
    if init is None:
        return draw(None)
    if isinstance(init, Mapping):
        if config.backbone != "fusion":
            raise ConfigError(f"init: several runs start the fusion network, not {config.backbone}")
        trained = {name: _finished(Path(path), name) for name, path in init.items()}
        head = draw("head")
        start = {name: {**shapes[name], **head[name]} for name in shapes}
        try:
            return _as_arrays(fuse_variables(start, trained))
        except ValueError as error:
            raise ConfigError(f"init: {error}") from error
    if not Path(init).is_dir():
        weights = read_weights(init, None if config.backbone == "fusion" else config.backbone)
        return _as_arrays(start_from_weights(weights, config, draw(None)))
    started = _finished(Path(init), config.backbone)
    want, have = shapes_by_path(shapes), shapes_by_path(started)
    if want != have:
        key = min(key for key in want.keys() | have.keys() if want.get(key) != have.get(key))
        raise ConfigError(
            f"init: {init} is of another network: {key} is {have.get(key, 'missing')} there and "
            f"{want.get(key, 'missing')} here; give both runs the same `model:`"
        )
    return _as_arrays(started)


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


def _as_arrays(variables: Mapping[str, Any]) -> dict[str, Any]:
    return jax.tree.map(jnp.asarray, dict(variables))
