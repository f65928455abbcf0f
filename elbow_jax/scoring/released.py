"""Read and write a released model: weights and everything `predict` needs, without pickle.

model/weights.safetensors   every variable by its path, ``params/backbone/...``; in an ensemble with
                            a first axis over its members; the statistics of the input gate by
                            ``gate/...``
      seen_images.csv       digests of the images that it learnt from (`elbow_core.dataset`)
      model.json            the card: see `elbow_jax.scoring.card`
      README.md             the page for people: see `elbow_jax.scoring.model_page`
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict
from pydantic import ValidationError

from elbow_core.dataset import SEEN_FILE, SeenImages, read_seen_images
from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation import AbstentionRecord
from elbow_core.files import (
    SMALL_FILE,
    atomic_file,
    atomic_folder,
    read_regular,
    require_output_file,
    require_room,
    sha256_of,
)
from elbow_jax.scoring.card import (
    ModelCard,
    card_text,
    parse_card,
    version_of,
)
from elbow_jax.scoring.model_page import PAGE, model_page
from elbow_jax.scoring.tensors import most_bytes, not_finite, read_tensors

_CARD, _WEIGHTS = "model.json", "weights.safetensors"
RELEASED_FILES = (_CARD, _WEIGHTS, SEEN_FILE, PAGE)
"""The files of a released model."""


@dataclass(frozen=True)
class ReleasedModel:
    """A card and its variables, as NumPy arrays.

    Attributes:
        card: everything but the weights.
        variables: ``params`` and ``batch_stats``; of an ensemble those of all members, stacked
            along a first axis: see `elbow_jax.scoring.ensembles`.
        statistics: of the input gate, stacked likewise; None where the model has none.
    """

    card: ModelCard
    variables: dict[str, Any]
    statistics: dict[str, Any] | None = None


def write_released(
    directory: Path,
    variables: Mapping[str, Any],
    seen_images: SeenImages,
    statistics: Mapping[str, Any] | None = None,
    **card: Any,
) -> None:
    """Write a released model; the directory appears complete or not at all.

    Args:
        directory: must not exist.
        variables: ``params`` and ``batch_stats`` of the network, arrays of any framework.
        seen_images: the images that it learnt from.
        statistics: of the input gate, which belong to the card's `gate`.
        card: the fields of `ModelCard` except version and digests.

    Raises:
        UserError: if a variable is not finite, or there is no room; nothing is written then.
    """
    flat = {
        path: np.ascontiguousarray(array)
        for path, array in flatten_dict({**variables, "gate": statistics or {}}, sep="/").items()
    }
    if name := not_finite(flat):
        raise UserError(
            f"{directory}: is not released, since the weights {name} hold values that are not "
            "finite; lower the learning rate and train again"
        )
    seen = seen_images.to_bytes()
    size = sum(array.nbytes for array in flat.values()) + len(seen)
    require_room(directory, size, "the released model")
    with atomic_folder(directory) as partial:
        safetensors.numpy.save_file(flat, partial / _WEIGHTS)
        (partial / SEEN_FILE).write_bytes(seen)
        content = ModelCard(
            schema_version=version_of(
                card.get("abstention"), card.get("ensemble"), card.get("gate")
            ),
            weights_sha256=sha256_of(partial / _WEIGHTS),
            seen_images_sha256=hashlib.sha256(seen).hexdigest(),
            **card,
        )
        (partial / _CARD).write_text(card_text(content), encoding="utf-8")
        (partial / PAGE).write_text(model_page(content, seen_images), encoding="utf-8")


def freeze_abstention(directory: Path, abstention: AbstentionRecord) -> None:
    """Write the thresholds that leave images to the reader into the card of a released model.

    Earlier ones are replaced; everything else of the card is kept, the digests with it.

    Raises:
        ConfigError: if the model is damaged, as `read_released` and `images_seen_by` find; or if
            its card is of version 1, which does not list the images that it learnt from; or if
            the thresholds of an ensemble were chosen on scores of its single members.
        UserError: if the card cannot be written.
    """
    card = read_released(directory).card
    if images_seen_by(directory, card) is None:
        raise ConfigError(
            f"{directory}: is of version 1, which does not list the images that the model learnt "
            "from; train and release it again"
        )
    if card.ensemble and card.ensemble.out_of_fold_sha256 == abstention.predictions_sha256:
        raise ConfigError(
            f"{directory}: the thresholds were chosen on out-of-fold scores, which are single "
            "networks' and not their mean, for which they promise nothing; choose them on this "
            "model's predictions of new images (python -m elbow_jax.evaluate --model)"
        )
    content = {
        **dict(card),
        "schema_version": version_of(abstention, card.ensemble, card.gate),
        "abstention": abstention,
    }
    try:
        text = card_text(ModelCard(**content))
    except ValidationError as error:
        message = error.errors(include_url=False, include_context=False)[0]["msg"]
        raise ConfigError(f"{directory}: {message.removeprefix('Value error, ')}") from error
    require_output_file(directory / _CARD, mark="{", size=len(text))
    with atomic_file(directory / _CARD) as partial:
        partial.write_text(text, encoding="utf-8")


def read_card(directory: Path) -> ModelCard:
    """Read the card of a released model.

    Raises:
        ConfigError: if it is missing, of a newer schema or damaged.
    """
    path = directory / _CARD
    try:
        return parse_card(read_regular(path, SMALL_FILE))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(
            f"{directory}: no released model here ({_CARD} is missing); give the `model` "
            "directory of a finished run"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: the released model is damaged ({error})") from error


def images_seen_by(directory: Path, card: ModelCard) -> SeenImages | None:
    """Return what a released model learnt from; None if its version did not list it.

    Raises:
        ConfigError: if the list cannot be read, or is not the one that the card names.
    """
    if card.seen_images_sha256 is None:
        return None
    return read_seen_images(directory / SEEN_FILE, card.seen_images_sha256)


def read_released(directory: Path) -> ReleasedModel:
    """Read a released model: its variables are float32, finite, and exactly its network's.

    Raises:
        ConfigError: if it is missing, of a newer schema or damaged, or if its weights are not the
            file that the card names, or not the tensors of its network.
    """
    card, weights_file = read_card(directory), directory / _WEIGHTS
    try:
        flat = _read_weights(weights_file, card)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{directory}: the released model is damaged ({_WEIGHTS} is missing)"
        ) from error
    except OSError as error:
        raise ConfigError(f"{weights_file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{directory}: the released model is damaged ({error})") from error
    variables = unflatten_dict(flat, sep="/")
    variables.setdefault("batch_stats", {})
    statistics = variables.pop("gate", None)
    return ReleasedModel(card, variables, statistics)


def read_single(directory: Path) -> ReleasedModel:
    """Read a released model that is one network, for work that has no meaning for an ensemble.

    Raises:
        ConfigError: as `read_released` does, and for an ensemble.
    """
    if read_card(directory).ensemble is not None:
        raise ConfigError(
            f"{directory}: is an ensemble, and one network is needed; give that of a fold beside "
            "it, such as fold_1"
        )
    return read_released(directory)


def _read_weights(path: Path, card: ModelCard) -> dict[str, np.ndarray]:
    """Return the tensors of a file; those that are hashed are those that are read."""
    content = read_regular(path, most_bytes(card.members))
    if hashlib.sha256(content).hexdigest() != card.weights_sha256:
        raise ValueError(
            f"{path.name} is not the file that {_CARD} names: its SHA-256 differs; copy the "
            "directory again"
        )
    try:
        size = card.preprocessing.size
        return read_tensors(content, card.architecture, size, card.members, card.gate is not None)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
