"""From a configuration to a network ready to run: module, precision and variables."""

from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from elbow_core.errors import ConfigError
from elbow_jax.models import ModelConfig, build_model
from elbow_jax.released import read_released
from elbow_jax.run_directory import RunDirectory

Precision = Literal["auto", "float32", "bfloat16"]


def compute_dtype(precision: Precision) -> Any:
    """Return the dtype of the computation; ``auto`` is bfloat16 on an accelerator."""
    if precision == "auto":
        return jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16
    return jnp.float32 if precision == "float32" else jnp.bfloat16


def build(config: ModelConfig, precision: Precision) -> Any:
    """Build the network of a configuration.

    Raises:
        ConfigError: if a field has a value that cannot be built.
    """
    try:
        return build_model(config, compute_dtype(precision))
    except ValueError as error:
        raise ConfigError(f"model.{error}") from error


def initialise(module: Any, size: int, seed: int) -> dict[str, Any]:
    """Return random variables for images of ``size`` pixels a side, float32."""
    image = jnp.zeros((1, size, size, 1), jnp.float32)
    variables = jax.jit(lambda key: module.init(key, image, train=False))(jax.random.key(seed))
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


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
    if not run.config.exists():
        raise ConfigError(f"init: {path} is not a run")
    if not run.model.is_dir():
        raise ConfigError(f"init: {path} is not finished; go on with it by --resume first")
    released = read_released(run.model)
    theirs = released.card.architecture
    if theirs.backbone != config.backbone:
        raise ConfigError(f"init: {path} is a {theirs.backbone}, this run a {config.backbone}")
    want = {key: array.shape for key, array in flatten_dict(variables, sep="/").items()}
    have = {key: array.shape for key, array in flatten_dict(released.variables, sep="/").items()}
    if want != have:
        key = min(key for key in want.keys() | have.keys() if want.get(key) != have.get(key))
        raise ConfigError(
            f"init: {path} is of another network: {key} is {have.get(key, 'missing')} there and "
            f"{want.get(key, 'missing')} here; give both runs the same `model:`"
        )
    return jax.tree.map(jnp.asarray, released.variables)
