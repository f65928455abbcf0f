"""Build a network from its configuration: module, precision and variables."""

import functools
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict
from jaxtyping import Array

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

    On a CPU the equal blocks of a full network are compiled one by one: a step is up to a tenth
    faster and compilation takes twice as long. In all other cases they are compiled as a loop.

    Raises:
        ConfigError: if a field has a value that cannot be built.
    """
    scan_blocks = config.variant == "small" or jax.default_backend() != "cpu"
    try:
        return build_model(config, compute_dtype(precision), scan_blocks)
    except ValueError as error:
        raise ConfigError(f"model.{error}") from error


def variable_shapes(module: Any, size: int) -> dict[str, Any]:
    """Return ``params`` and ``batch_stats`` as shapes and dtypes; nothing is computed."""
    image = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    init = functools.partial(module.init, train=False)
    variables = jax.eval_shape(init, jax.random.key(0), image)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def initialise(module: Any, size: int, seed: int, part: str | None = None) -> dict[str, Any]:
    """Return random variables, float32.

    Args:
        module: a network.
        size: side of its images in pixels.
        seed: of the random key.
        part: a top-level module of the network, such as ``head``: return its variables only, equal
            to those in the whole network. XLA compiles a kernel for each random array, which is
            most of a short run's start-up.
    """

    def sample(key: Array) -> dict[str, Any]:
        variables = module.init(key, jnp.zeros((1, size, size, 1), jnp.float32), train=False)
        trees = {name: variables.get(name, {}) for name in ("params", "batch_stats")}
        if part is None:
            return trees
        return {name: {part: tree[part]} if part in tree else {} for name, tree in trees.items()}

    # This runs once, in milliseconds: fast compilation matters more than fast code.
    options: Any = {"xla_backend_optimization_level": 0}
    return jax.jit(sample, compiler_options=options)(jax.random.key(seed))


def shapes_by_path(variables: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of ``params`` and ``batch_stats`` by slash-separated path."""
    parts = {name: variables.get(name) or {} for name in ("params", "batch_stats")}
    leaves: dict[Any, Any] = flatten_dict(parts, sep="/")
    return {path: tuple(leaf.shape) for path, leaf in leaves.items()}
