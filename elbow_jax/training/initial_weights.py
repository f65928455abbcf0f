"""Initial weights of a run: random, from finished runs, or published."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from elbow_core.errors import ConfigError
from elbow_jax.models import ModelConfig, fuse_variables
from elbow_jax.networks import shapes_by_path
from elbow_jax.porting import read_weights, start_from_weights
from elbow_jax.scoring import read_released
from elbow_jax.training.run_directory import RunDirectory

Init = str | Mapping[str, str]
Initialise = Callable[[str | None], dict[str, Any]]


def initial_variables(
    config: ModelConfig, init: Init | None, shapes: Mapping[str, Any], initialise: Initialise
) -> dict[str, Any]:
    """Return the variables that a run starts with: from `init` where it has them, else random.

    Args:
        config: the network.
        init: the directory of a finished run of the same network; for the fusion network a run for
            each backbone; published weights, by tag or file; or None.
        shapes: of the network's variables.
        initialise: returns random variables, of one part of the network (such as its head) if that
            is given.

    Raises:
        UserError: if `init` cannot be read, is not finished, or is of another network.
    """
    if init is None:
        return initialise(None)
    if isinstance(init, Mapping):
        if config.backbone != "fusion":
            raise ConfigError(f"init: several runs start the fusion network, not {config.backbone}")
        trained = {name: _released_variables(Path(path), name) for name, path in init.items()}
        head = initialise("head")
        start = {name: {**shapes[name], **head[name]} for name in shapes}
        try:
            return _as_arrays(fuse_variables(start, trained))
        except ValueError as error:
            raise ConfigError(f"init: {error}") from error
    if not Path(init).is_dir():
        weights = read_weights(init, None if config.backbone == "fusion" else config.backbone)
        return _as_arrays(start_from_weights(weights, config, initialise(None)))
    variables = _released_variables(Path(init), config.backbone)
    expected, found = shapes_by_path(shapes), shapes_by_path(variables)
    if expected != found:
        keys = expected.keys() | found.keys()
        key = min(key for key in keys if expected.get(key) != found.get(key))
        raise ConfigError(
            f"init: {init} is of another network: {key} is {found.get(key, 'missing')} there and "
            f"{expected.get(key, 'missing')} here; give both runs the same `model:`"
        )
    return _as_arrays(variables)


def _released_variables(path: Path, backbone: str) -> dict[str, Any]:
    """Return the released variables of a finished run; refuse one of another backbone."""
    run = RunDirectory(path)
    if not run.model.is_dir():
        raise ConfigError(f"init: {path} is not finished; continue it with --resume first")
    released = read_released(run.model)
    found = released.card.architecture.backbone
    if found != backbone:
        raise ConfigError(f"init: {path} is of another network: {found}, not {backbone}")
    return released.variables


def _as_arrays(variables: Mapping[str, Any]) -> dict[str, Any]:
    return jax.tree.map(jnp.asarray, dict(variables))
