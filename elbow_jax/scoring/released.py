"""Read and write a released model: weights and everything `predict` needs, without pickle.

model/weights.safetensors   every variable by its path, ``params/backbone/...``
      model.json            architecture, preprocessing, thresholds, labels, digest of the weights
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from elbow_core.config import StrictModel
from elbow_core.errors import ConfigError
from elbow_core.files import atomic_folder, sha256_of
from elbow_core.radiographs import Preprocessing
from elbow_jax.models import ModelConfig

SCHEMA_VERSION = 1
_CARD, _WEIGHTS = "model.json", "weights.safetensors"


class ModelCard(StrictModel):
    """The content of model.json."""

    schema_version: int
    """Of this file; a newer one is refused."""
    architecture: ModelConfig
    """The network to build."""
    preprocessing: Preprocessing
    """From a radiograph to the network's input."""
    thresholds: dict[str, float]
    """Operating points by name; `default` is 0.5, the others were chosen on the validation set."""
    labels: tuple[str, str]
    """Names of the class below and the class at or above a threshold."""
    validation: dict[str, float]
    """Metrics of these weights on the validation set."""
    step: int
    """Optimiser steps that these weights were trained for."""
    weights_sha256: str
    """SHA-256 of weights.safetensors, in hexadecimal."""


@dataclass(frozen=True)
class ReleasedModel:
    """A card and its variables, as NumPy arrays."""

    card: ModelCard
    variables: dict[str, Any]


def write_released(directory: Path, variables: Mapping[str, Any], **card: Any) -> None:
    """Write a released model; the directory appears complete or not at all.

    Args:
        directory: must not exist.
        variables: ``params`` and ``batch_stats`` of the network, arrays of any framework.
        card: the fields of `ModelCard` except version and digest.
    """
    flat = {
        path: np.ascontiguousarray(array)
        for path, array in flatten_dict(dict(variables), sep="/").items()
    }
    with atomic_folder(directory) as partial:
        save_file(flat, partial / _WEIGHTS)
        digest = sha256_of(partial / _WEIGHTS)
        content = ModelCard(schema_version=SCHEMA_VERSION, weights_sha256=digest, **card)
        text = content.model_dump_json(indent=2) + "\n"
        (partial / _CARD).write_text(text, encoding="utf-8")


def read_released(directory: Path) -> ReleasedModel:
    """Read a released model.

    Raises:
        ConfigError: if it is missing, of a newer schema or damaged, or if its weights are not the
            file that the card names.
    """
    card_file, weights_file = directory / _CARD, directory / _WEIGHTS
    if not card_file.is_file():
        raise ConfigError(
            f"{directory}: no released model here ({_CARD} is missing); give the `model` "
            "directory of a finished run"
        )
    try:
        text = card_file.read_text(encoding="utf-8")
        version = json.loads(text).get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise ConfigError(
                f"{card_file}: schema version {version} is newer than this program's "
                f"{SCHEMA_VERSION}; update the program"
            )
        card = ModelCard.model_validate_json(text)
        if sha256_of(weights_file) != card.weights_sha256:
            raise ConfigError(
                f"{weights_file}: is not the file that {_CARD} names (its SHA-256 differs); copy "
                "the directory again"
            )
        variables = unflatten_dict(load_file(weights_file), sep="/")
    except (
        ValidationError,
        ValueError,
        AttributeError,
        FileNotFoundError,
        SafetensorError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{directory}: the released model is damaged ({reason})") from error
    except OSError as error:
        raise ConfigError(f"{directory}: cannot be read: {error}") from error
    variables.setdefault("batch_stats", {})
    return ReleasedModel(card, variables)
