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
from elbow_core.files import parse_json
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
        UserError: it is of another network or another convention, or damaged.
    """
    source = origin["source"]
    config, convention = _stated_network(source, content.metadata[_CONFIG_KEY])
    if config.backbone != backbone:
        raise UserError(f"{source}: the weights of {config.backbone}, not of {backbone}")
    found = {path: tuple(tensor.shape) for path, tensor in content.tensors.items()}
    expected = {path: tuple(leaf.shape) for path, leaf in _trained(_shapes(config)).items()}
    if wrong := sorted(path for path, _ in found.items() ^ expected.items()):
        raise UserError(
            f"{source}: is damaged: {wrong[0]} is {found.get(wrong[0], 'missing')}, and in the "
            f"network {expected.get(wrong[0], 'no tensor')}"
        )
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
    variables = start_from_weights(weights, config, _shapes(config))
    trained = {key: np.ascontiguousarray(value) for key, value in _trained(variables).items()}
    network = asdict(config) | {"convention": weights.stated_convention}
    origin = without_paths(weights.origin)  # a file of weights is for others too
    write_tensors(path, trained, {_CONFIG_KEY: json.dumps(network), **origin})


def _stated_network(source: str, text: str) -> tuple[ModelConfig, Convention | None]:
    """Return the network that the metadata of a file describe, and its convention if stated."""
    try:
        network = parse_json(text.encode())
        convention = network["convention"]
        config = plain_network(network["backbone"], convention or "timm", network["in_channels"])
        if asdict(config) | {"convention": convention} != network:
            raise ValueError("no network that is ported here")
        build_model(config)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{source}: is damaged: its metadata describe no network ({error!s:.200})"
        ) from error
    return config, convention


def _shapes(config: ModelConfig) -> Any:
    """Return the variables of a network as shapes."""
    image = jnp.zeros((1, 32, 32, config.in_channels))
    return jax.eval_shape(lambda: build_model(config).init(jax.random.key(0), image))


def _trained(variables: Any) -> dict[str, Any]:
    """Return the variables by path, without those of the head."""
    flat: dict[str, Any] = flatten_dict(variables, sep="/")
    return {key: value for key, value in flat.items() if "/head/" not in key}
