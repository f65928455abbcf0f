"""Read and write a released model: weights and everything `predict` needs, without pickle.

model/weights.safetensors   every variable by its path, ``params/backbone/...``
      seen_images.csv       digests of the images that it learnt from (`elbow_core.dataset`)
      model.json            the card: see `elbow_jax.scoring.card`
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError

from elbow_core.bounded_files import read_regular
from elbow_core.dataset import SEEN_FILE, SeenImages, read_seen_images
from elbow_core.errors import ConfigError, UserError
from elbow_core.files import atomic_folder, sha256_of
from elbow_core.strict_json import SMALL_FILE
from elbow_jax.models import ModelConfig
from elbow_jax.networks import build, shapes_by_path, variable_shapes
from elbow_jax.scoring.card import SCHEMA_VERSION, ModelCard, parse_card

_CARD, _WEIGHTS = "model.json", "weights.safetensors"
_MAX_HEADER = 1 << 20  # bytes of a file of weights that are no weights; 55 thousand here
_MAX_WEIGHTS = 1 << 31
_MAX_NAMED = 3


@dataclass(frozen=True)
class ReleasedModel:
    """A card and its variables, as NumPy arrays."""

    card: ModelCard
    variables: dict[str, Any]


def write_released(
    directory: Path, variables: Mapping[str, Any], seen_images: SeenImages, **card: Any
) -> None:
    """Write a released model; the directory appears complete or not at all.

    Args:
        directory: must not exist.
        variables: ``params`` and ``batch_stats`` of the network, arrays of any framework.
        seen_images: the images that it learnt from.
        card: the fields of `ModelCard` except version and digests.

    Raises:
        UserError: if a variable is not finite; nothing is written then.
    """
    flat = {
        path: np.ascontiguousarray(array)
        for path, array in flatten_dict(dict(variables), sep="/").items()
    }
    if name := _not_finite(flat):
        raise UserError(
            f"{directory}: is not released, since the weights {name} hold values that are not "
            "finite; lower the learning rate and train again"
        )
    seen = seen_images.to_bytes()
    with atomic_folder(directory) as partial:
        safetensors.numpy.save_file(flat, partial / _WEIGHTS)
        (partial / SEEN_FILE).write_bytes(seen)
        content = ModelCard(
            schema_version=SCHEMA_VERSION,
            weights_sha256=sha256_of(partial / _WEIGHTS),
            seen_images_sha256=hashlib.sha256(seen).hexdigest(),
            **card,
        )
        text = content.model_dump_json(indent=2) + "\n"
        (partial / _CARD).write_text(text, encoding="utf-8")


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
        expected = _expected_shapes(card.architecture, card.preprocessing.size)
        flat = _read_weights(weights_file, card.weights_sha256, expected)
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
    return ReleasedModel(card, variables)


@functools.lru_cache(maxsize=8)
def _expected_shapes(architecture: ModelConfig, size: int) -> Mapping[str, tuple[int, ...]]:
    """Return the shape of each variable of a network for images of a size; nothing is computed.

    Raises `ValueError` if there is no such network, or none of a size that can be read.
    """
    try:
        shapes = shapes_by_path(variable_shapes(build(architecture, "auto"), size))
    except (ConfigError, ValueError, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"its architecture cannot be built: {reason}") from error
    if _bytes_of(shapes) > _MAX_WEIGHTS:
        raise ValueError(f"its architecture needs more than {_MAX_WEIGHTS} bytes of weights")
    return shapes


def _bytes_of(shapes: Mapping[str, tuple[int, ...]]) -> int:
    return sum(4 * int(np.prod(shape, dtype=object)) for shape in shapes.values())


def _read_weights(
    path: Path, sha256: str, expected: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Return the tensors of a file; those that are hashed are those that are read."""
    content = read_regular(path, _bytes_of(expected) + _MAX_HEADER)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"{path.name} is not the file that {_CARD} names: its SHA-256 differs; copy the "
            "directory again"
        )
    try:
        found = safetensors.numpy.load(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise ValueError(f"{path.name}: {reason}") from error
    problems = [
        f"{kind} {_shortened(names)}"
        for kind, names in (
            ("missing are", sorted(expected.keys() - found.keys())),
            ("unknown are", sorted(found.keys() - expected.keys())),
            ("of another shape are", [n for n in expected if _shape(found, n) != expected[n]]),
            ("not float32 are", sorted(n for n in found if found[n].dtype != np.float32)),
        )
        if names
    ]
    if problems:
        raise ValueError(f"{path.name} holds other tensors than its network: {problems[0]}")
    if name := _not_finite(found):
        raise ValueError(f"{path.name}: {name} holds values that are not finite")
    return found


def _shape(tensors: Mapping[str, np.ndarray], name: str) -> tuple[int, ...] | None:
    return tensors[name].shape if name in tensors else None


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(ascii(name[:80])[1:-1] for name in names[:_MAX_NAMED]) + more


def _not_finite(tensors: Mapping[str, np.ndarray]) -> str | None:
    """Return the name of the first tensor with a value that is nan or infinite."""
    return next((name for name, array in tensors.items() if not np.isfinite(array).all()), None)
