"""The tensors that a network needs, and a file of weights that holds exactly these.

To know the shapes of a network it has to be traced, which takes 0.5 to 2 s of every start. Those of
the usual networks are therefore stored as digests (`known_networks`); a file with other tensors, or
for another network, is compared with the traced shapes.
"""

import functools
import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from elbow_core.errors import ConfigError
from elbow_core.files import parse_json
from elbow_jax.models import ModelConfig
from elbow_jax.networks import build, shapes_by_path, variable_shapes
from elbow_jax.scoring.gate import GATE, gate_shapes
from elbow_jax.scoring.known_networks import KNOWN_NETWORKS

MAX_WEIGHTS = 1 << 30
"""Bytes of one network's weights, at most."""
MAX_ENSEMBLE_WEIGHTS = 1 << 33
"""Bytes of all weights of an ensemble, at most."""

Shapes = Mapping[str, tuple[int, ...]]

_MAX_NAMED = 3
_LENGTH = struct.Struct("<Q")
_MAX_HEADER = 1 << 22  # bytes; the largest network needs 55 thousand


def most_bytes(members: int | None) -> int:
    """Return how long a file of weights may be: of one network for None, else of an ensemble."""
    return MAX_WEIGHTS if members is None else min(members * MAX_WEIGHTS, MAX_ENSEMBLE_WEIGHTS)


def read_tensors(
    content: bytes,
    architecture: ModelConfig,
    size: int,
    members: int | None = None,
    gated: bool = False,
) -> dict[str, np.ndarray]:
    """Return the tensors in a safetensors file, by name, as views of its bytes.

    Args:
        content: of the file.
        architecture: the network, whose variables the tensors must be, each float32, of the right
            shape and finite.
        size: of the network's images in pixels.
        members: of an ensemble, each tensor of which has a first axis of this length; None for one
            network.
        gated: whether the statistics of an input gate lie beside the network's variables.

    Raises:
        ValueError: in one line, naming the tensors.

    Reference: https://github.com/huggingface/safetensors, "Format".
    """
    _module(architecture)  # raises for a rate that is none, which changes no shape
    entries, data = _parse_header(content)
    found, first = _shapes_in(entries), () if members is None else (members,)
    of_gate = [name for name in found if gated and name.startswith(GATE)]
    network = {name: shape for name, shape in found.items() if name not in of_gate}
    known = KNOWN_NETWORKS.get(name_of(architecture) or "")
    shapes = _below(first, network)
    if known is None or known != digest_of(shapes):
        shapes = traced_shapes(architecture, size)
        _require_equal(network, _above(first, shapes))
    if gated:
        _require_equal({name: found[name] for name in of_gate}, _above(first, gate_shapes(shapes)))
    offset, tensors = 0, {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        shape = tuple(entry["shape"])
        count = int(np.prod(shape, dtype=object))
        if entry["dtype"] != "F32":
            raise ValueError(f"{_shown([name])} is {str(entry['dtype'])[:9]!a} and not float32")
        if entry["data_offsets"] != [offset, offset + 4 * count]:
            raise ValueError(f"the data of {_shown([name])} are not where they belong")
        tensors[name] = np.frombuffer(content, "<f4", count, data + offset).reshape(shape)
        offset += 4 * count
    if data + offset != len(content):
        raise ValueError("has bytes behind the last tensor")
    if name := not_finite(tensors):
        raise ValueError(f"{_shown([name])} holds values that are not finite")
    return tensors


def not_finite(tensors: Mapping[str, np.ndarray]) -> str | None:
    """Return the name of the first tensor with a value that is nan or infinite."""
    return next((name for name, array in tensors.items() if not np.isfinite(array).all()), None)


@functools.lru_cache(maxsize=8)
def traced_shapes(architecture: ModelConfig, size: int) -> Shapes:
    """Return the shape of each variable of a network; nothing is computed.

    Raises `ValueError` if there is no such network, or none that is small enough to be read.
    """
    module = _module(architecture)
    try:
        shapes = shapes_by_path(variable_shapes(module, size))
    except (ValueError, TypeError, OverflowError) as error:
        reason = str(error).splitlines()[0][:200]
        raise ValueError(f"its architecture cannot be built: {reason}") from error
    if 4 * sum(int(np.prod(shape, dtype=object)) for shape in shapes.values()) > MAX_WEIGHTS:
        raise ValueError(f"its architecture needs more than {MAX_WEIGHTS} bytes of weights")
    return shapes


def _module(architecture: ModelConfig) -> Any:
    try:
        return build(architecture, "auto")
    except ConfigError as error:
        raise ValueError(f"its architecture cannot be built: {error}") from error


def name_of(architecture: ModelConfig) -> str | None:
    """Return a name that usual networks with the same shapes have in common, None for others."""
    if architecture.features is not None or architecture.in_channels != 1:
        return None
    return f"{architecture.variant} {architecture.backbone}{' cbam' * architecture.cbam}"


def digest_of(shapes: Shapes) -> str:
    """Return the first 128 bits of a SHA-256 over names and shapes, in hexadecimal."""
    lines = [f"{json.dumps(name)} {list(shape)}\n" for name, shape in sorted(shapes.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]


def _parse_header(content: bytes) -> tuple[dict[str, dict[str, Any]], int]:
    """Return the header's entries by name, without metadata, and where the data begin."""
    if len(content) < _LENGTH.size:
        raise ValueError("is cut short")
    data = _LENGTH.size + _LENGTH.unpack_from(content)[0]
    if data > min(len(content), _MAX_HEADER):
        raise ValueError("is cut short, or not a safetensors file")
    try:
        entries = parse_json(content[_LENGTH.size : data])
    except ValueError as error:
        raise ValueError(f"its header cannot be read: {error}") from error
    if not isinstance(entries, dict):
        raise ValueError("its header is not that of a safetensors file")
    entries.pop("__metadata__", None)
    for name, entry in entries.items():
        if not (
            isinstance(entry, dict)
            and entry.keys() == {"dtype", "shape", "data_offsets"}
            and all(_is_whole_numbers(entry[key]) for key in ("shape", "data_offsets"))
        ):
            raise ValueError(f"its header says nothing sensible of {_shown([name])}")
    return entries, data


def _is_whole_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(number) is int and number >= 0 for number in value)


def _shapes_in(entries: Mapping[str, Mapping[str, Any]]) -> Shapes:
    return {name: tuple(entry["shape"]) for name, entry in entries.items()}


def _below(first: tuple[int, ...], shapes: Shapes) -> Shapes:
    """Return the shapes without the leading axes ``first``; nothing unless all of them have it."""
    if any(shape[: len(first)] != first for shape in shapes.values()):
        return {}
    return {name: shape[len(first) :] for name, shape in shapes.items()}


def _above(first: tuple[int, ...], shapes: Shapes) -> Shapes:
    return {name: first + shape for name, shape in shapes.items()}


def _require_equal(found: Shapes, expected: Shapes) -> None:
    for kind, names in (
        ("missing", expected.keys() - found.keys()),
        ("unknown", found.keys() - expected.keys()),
        ("of another shape", {name for name in expected if found.get(name) != expected[name]}),
    ):
        if names:
            raise ValueError(f"holds other tensors than its network: {kind}: {_shown(names)}")


def _shown(names: Any) -> str:
    """Return the first few names, printable and shortened."""
    found = sorted(names)
    more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
    return ", ".join(ascii(name[:80])[1:-1] for name in found[:_MAX_NAMED]) + more
