"""Files of published weights as the variables of a plain network, with their origin."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from elbow_core.errors import UserError
from elbow_core.runs import without_paths
from elbow_jax.models import Backbone, Convention, ModelConfig, build_model
from elbow_jax.porting.checkpoints import TensorFile, write_tensors
from elbow_jax.porting.mapping import to_torch
from elbow_jax.porting.weights import Weights, plain_network, start_from_weights

_CONFIG_KEY = "elbow_jax.network"  # in a file's metadata: the configuration of its network


def is_ported(content: TensorFile) -> bool:
    """Return whether a file was written by `write_ported`."""
    return _CONFIG_KEY in content.metadata


def ported_weights(
    content: TensorFile, backbone: Backbone, asked: Convention | None, origin: dict[str, str]
) -> Weights:
    """Return the weights in a file of `write_ported`.

    Args:
        content: of the file.
        backbone: the network that the weights shall fill.
        asked: the convention of these weights if the file does not state it.
        origin: of the file itself; that of the weights in it is added as `ported_...`.

    Raises:
        UserError: it is of another network or another convention.
    """
    network = json.loads(content.metadata[_CONFIG_KEY])
    config = ModelConfig(**network | {"convention": network["convention"] or "timm"})
    source = origin["source"]
    if config.backbone != backbone:
        raise UserError(f"{source}: the weights of {config.backbone}, not of {backbone}")
    convention = network["convention"]
    if backbone != "convnext_tiny" and asked is not None and convention not in (None, asked):
        raise UserError(f"{source}: was ported as {convention}'s network, not as {asked}'s")
    state_dict = to_torch(unflatten_dict(content.tensors, sep="/"), build_model(config))
    prefix = "backbone.network."
    tensors = {
        key.removeprefix(prefix): value
        for key, value in state_dict.items()
        if key.startswith(prefix)
    }
    fields = ("source", "revision", "sha256", "network", "tensors")
    ported = {f"ported_{key}": content.metadata[key] for key in fields if key in content.metadata}
    return Weights(backbone, tensors, convention or asked, origin | ported)


def write_ported(path: Path, weights: Weights, in_channels: int) -> None:
    """Write published weights as the variables of a plain network, completely or not at all.

    The file's metadata holds the network's configuration and the origin of the weights. Its
    convention is null where the weights do not state theirs. The head is left out, since it has not
    been trained.

    Args:
        path: a `.safetensors` file; its directory is created if needed.
        weights: published weights.
        in_channels: 1 sums the kernels of the colour stem; 3 keeps it.

    Raises:
        UserError: naming the tensors that do not fit.
    """
    config = plain_network(weights.backbone, weights.stated_convention or "timm", in_channels)
    module = build_model(config)
    image = jnp.zeros((1, 32, 32, in_channels))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), image))
    variables = start_from_weights(weights, config, shapes)
    flat: dict[str, Any] = flatten_dict(variables, sep="/")
    trained = {
        key: np.ascontiguousarray(value) for key, value in flat.items() if "/head/" not in key
    }
    network = asdict(config) | {"convention": weights.stated_convention}
    origin = without_paths(weights.origin)  # a file of weights is for others too
    write_tensors(path, trained, {_CONFIG_KEY: json.dumps(network), **origin})
