"""From a configuration to a network ready to run: module, precision and variables."""

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from elbow_core.errors import ConfigError
from elbow_jax.models import ModelConfig, build_model

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


def shapes_by_path(variables: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each leaf of ``params`` and ``batch_stats`` by its path with slashes."""
    parts = {name: variables.get(name) or {} for name in ("params", "batch_stats")}
    leaves: dict[Any, Any] = flatten_dict(parts, sep="/")
    return {path: tuple(leaf.shape) for path, leaf in leaves.items()}
