"""From published weights, by tag or local file, to the variables of a network."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from elbow_core.errors import UserError
from elbow_core.files import sha256_of
from elbow_jax.models import (
    Backbone,
    Convention,
    ModelConfig,
    build_model,
    efficientnetv2,
    mobilenetv3,
)
from elbow_jax.porting.mapping import port_backbone, to_torch
from elbow_jax.porting.published import PUBLISHED, download
from elbow_jax.porting.tensor_files import read_tensors, write_tensors
from elbow_jax.porting.torchvision_layout import from_torchvision

_CONFIG_KEY = "elbow_jax.network"  # in a ported file's metadata: the configuration of its network


@dataclass(frozen=True)
class Weights:
    """A state dict under timm's names, and its origin.

    Attributes:
        backbone: the network of these weights.
        tensors: by timm's names.
        convention: the library that trained the network; see `ModelConfig.convention`.
        origin: `source`, `revision` (empty for a file) and `sha256` of the file.
    """

    backbone: Backbone
    tensors: dict[str, np.ndarray]
    convention: Convention
    origin: dict[str, str]


def read_weights(source: str, backbone: Backbone | None = None) -> Weights:
    """Read the published weights of a network; a tag is downloaded.

    Args:
        source: a tag of `PUBLISHED`, or a `.safetensors`, `.pth`, `.pt` or `.bin` file in timm's
            layout, in torchvision's, or written by `write_ported`.
        backbone: the network of the weights; may be left out for a tag.

    Raises:
        UserError: an unknown tag, a backbone that is not the tag's, a hub that cannot be reached,
            or a file that cannot be read or is not the pinned one.
    """
    if source in PUBLISHED:
        expected = PUBLISHED[source].backbone
        if backbone not in (None, expected):
            raise UserError(f"{source}: the weights of {expected}, not of {backbone}")
        backbone = expected
        file, revision = download(source)
    else:
        file, revision = Path(source), ""
        if not file.is_file():
            tags = ", ".join(PUBLISHED)
            raise UserError(f"{source}: neither a file nor one of the tags {tags}")
        if backbone is None:
            raise UserError(f"{source}: say which network this file is of: --backbone NAME")
    origin = {"source": source, "revision": revision, "sha256": sha256_of(file)}
    tensors, metadata = read_tensors(file)
    if _CONFIG_KEY in metadata:
        config = ModelConfig(**json.loads(metadata[_CONFIG_KEY]))
        if config.backbone != backbone:
            raise UserError(f"{source}: the weights of {config.backbone}, not of {backbone}")
        network = to_torch(unflatten_dict(tensors, sep="/"), build_model(config))
        prefix = "backbone.network."
        tensors = {
            key.removeprefix(prefix): value
            for key, value in network.items()
            if key.startswith(prefix)
        }
        return Weights(backbone, tensors, config.convention, origin)
    if "features.0.0.weight" in tensors:
        module = build_model(ModelConfig(backbone=backbone))
        return Weights(backbone, from_torchvision(tensors, module), "torchvision", origin)
    return Weights(backbone, tensors, "timm", origin)


def start_from_weights(
    weights: Weights, config: ModelConfig, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the variables of a single network with its backbone filled from published weights.

    Args:
        weights: of the same architecture.
        config: the network.
        variables: its initial variables; leaves that no published file holds keep their values.

    Raises:
        UserError: naming the tensors that do not fit.
    """
    source = weights.origin["source"]
    if weights.convention != config.convention and config.backbone != "convnext_tiny":
        raise UserError(
            f"{source}: weights from {weights.convention}, whose padding or epsilon differs; set "
            f"model.convention: {weights.convention}"
        )
    try:
        return port_backbone(weights.tensors, build_model(config), variables)
    except ValueError as error:
        raise UserError(f"{source}: does not fit {config.backbone}: {error}") from error


def plain_network(backbone: Backbone, convention: Convention, in_channels: int) -> ModelConfig:
    """Return the network as published, without CBAM and at its own width.

    A published file fills all of it except the head.
    """
    widths = {
        "efficientnetv2_s": efficientnetv2.NATIVE_FEATURES,
        "mobilenetv3_large": mobilenetv3.VARIANTS["full"].last,
    }
    return ModelConfig(
        backbone=backbone,
        convention=convention,
        cbam=False,
        features=widths.get(backbone),
        in_channels=in_channels,
    )


def write_ported(path: Path, weights: Weights, in_channels: int) -> None:
    """Write published weights as the variables of a plain network, completely or not at all.

    The file's metadata holds the network's configuration and the origin of the weights. The head is
    left out, since it has not been trained.

    Args:
        path: a `.safetensors` file; its directory is created if needed.
        weights: published weights.
        in_channels: 1 sums the kernels of the colour stem; 3 keeps it.

    Raises:
        UserError: naming the tensors that do not fit.
    """
    config = plain_network(weights.backbone, weights.convention, in_channels)
    module = build_model(config)
    image = jnp.zeros((1, 32, 32, in_channels))
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), image))
    variables = start_from_weights(weights, config, shapes)
    flat: dict[str, Any] = flatten_dict(variables, sep="/")
    trained = {
        key: np.ascontiguousarray(value) for key, value in flat.items() if "/head/" not in key
    }
    write_tensors(path, trained, {_CONFIG_KEY: json.dumps(asdict(config)), **weights.origin})
