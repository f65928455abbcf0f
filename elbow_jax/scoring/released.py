"""The released model: weights and what `predict` needs beside them, without a pickle.

model/weights.safetensors   every variable by its path, ``params/backbone/...``
      model.json            architecture, preprocessing, thresholds, labels, hash of the weights
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from elbow_core.config import StrictModel
from elbow_core.errors import ConfigError
from elbow_core.radiographs.preprocessing import Preprocessing
from elbow_jax.models import ModelConfig

SCHEMA_VERSION = 1


class ModelCard(StrictModel):
    """The content of model.json."""

    schema_version: int
    """Of this file; a reader refuses a newer one."""
    architecture: ModelConfig
    """The network to build."""
    preprocessing: Preprocessing
    """From a radiograph to the network's input."""
    thresholds: dict[str, float]
    """Operating points by name; `default` is 0.5, the rest were chosen on the validation set."""
    labels: tuple[str, str]
    """What a low and a high score stand for."""
    validation: dict[str, float]
    """Figures of these weights on the validation set."""
    step: int
    """Optimiser steps that made these weights."""
    weights_sha256: str
    """Of weights.safetensors, in hexadecimal."""


@dataclass(frozen=True)
class ReleasedModel:
    """A card and the variables that belong to it, as NumPy arrays."""

    card: ModelCard
    variables: dict[str, Any]


def write_released(directory: Path, variables: Mapping[str, Any], **card: Any) -> None:
    """Write a released model; the directory appears whole or not at all.

    Args:
        directory: must not exist.
        variables: ``params`` and ``batch_stats`` of the network, arrays of any framework.
        card: the fields of `ModelCard` but for the version and the hash.
    """
    making = directory.with_name(f".{directory.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    flat = {
        path: np.ascontiguousarray(array)
        for path, array in flatten_dict(dict(variables), sep="/").items()
    }
    save_file(flat, making / "weights.safetensors")
    digest = hashlib.sha256((making / "weights.safetensors").read_bytes()).hexdigest()
    whole = ModelCard(schema_version=SCHEMA_VERSION, weights_sha256=digest, **card)
    (making / "model.json").write_text(whole.model_dump_json(indent=2) + "\n", encoding="utf-8")
    making.replace(directory)


def read_released(directory: Path) -> ReleasedModel:
    """Read a released model.

    Raises:
        ConfigError: if it is missing, of a newer schema, damaged, or its weights are not those
            that the card was written for.
    """
    if not (directory / "model.json").is_file():
        raise ConfigError(
            f"{directory}: no released model here (model.json is missing); give the `model` "
            "directory of a finished run"
        )
    text = (directory / "model.json").read_text(encoding="utf-8")
    try:
        version = json.loads(text).get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ConfigError(
                f"{directory / 'model.json'}: schema version {version} is newer than this "
                f"program's {SCHEMA_VERSION}; update the program"
            )
        card = ModelCard.model_validate_json(text)
        content = (directory / "weights.safetensors").read_bytes()
        if hashlib.sha256(content).hexdigest() != card.weights_sha256:
            raise ConfigError(
                f"{directory / 'weights.safetensors'}: is not the file that model.json names "
                "(its SHA-256 differs); copy the directory again"
            )
        variables = unflatten_dict(load(content), sep="/")
    except (ValidationError, ValueError, AttributeError, OSError, SafetensorError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{directory}: the released model is damaged ({first})") from error
    variables.setdefault("batch_stats", {})
    return ReleasedModel(card, variables)
