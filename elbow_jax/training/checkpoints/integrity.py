"""Check that a checkpoint is complete, of a known schema and of the network at hand."""

import dataclasses
import errno
import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from elbow_core.errors import ConfigError, UserError
from elbow_core.files import sha256_of
from elbow_jax.runtime import is_main, wait_for_all
from elbow_jax.steps import TrainState

SCHEMA_VERSION = 2

Shapes = Mapping[str, tuple[int, ...]]


class CheckpointError(UserError):
    """A checkpoint that cannot be written or read; the message names it."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint whose content is not what was saved, at a second reading too."""


def state_tree(state: TrainState) -> dict[str, Any]:
    """Return a state as a dict of its fields, without an average that is not kept."""
    fields = {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}
    return {name: value for name, value in fields.items() if value is not None}


def make_record(tree: Any, host: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record saved beside the arrays: schema version, digest, and the host's part."""
    return {"schema_version": SCHEMA_VERSION, "sha256": digest_of(tree), "host": host}


def digest_of(tree: Any) -> str:
    """Return a SHA-256 over the names, types, shapes and bytes of the arrays of a tree.

    TensorStore does not detect a flipped bit within an array.
    """
    digest = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(tree):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {np.shape(leaf)}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def check_schema(path: Path, version: int) -> None:
    """Raise `ConfigError` if the checkpoint at ``path`` is of another schema version."""
    if version == SCHEMA_VERSION:
        return
    age, advice = (
        ("a newer", "update") if version > SCHEMA_VERSION else ("an older", "use that version")
    )
    raise ConfigError(
        f"{path}: was written by {age} version of this project (schema {version}, this one reads "
        f"{SCHEMA_VERSION}); {advice}, or give another `run:`"
    )


def check_shapes(path: Path, found: Shapes, expected: Shapes) -> None:
    """Raise `ConfigError` if the checkpoint at ``path`` holds another network's variables."""
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise ConfigError(
                f"{path}: is of another network: {name} is {found.get(name, 'missing')} there and "
                f"{expected.get(name, 'missing')} here"
            )


def check_types(path: Path, found: Any, expected: Any) -> None:
    """Raise `ConfigError` if the checkpoint at ``path`` was written under other settings of JAX.

    Args:
        path: of the checkpoint.
        found: the shapes and types of its arrays, as a tree.
        expected: the same of this run.
    """
    before, now = _types(found), _types(expected)
    if before == now:
        return
    only = [", ".join(sorted(types)) or "nothing else" for types in (before - now, now - before)]
    raise ConfigError(
        f"{path}: holds {only[0]} where this run has {only[1]}: it was written under another "
        "JAX_DEFAULT_PRNG_IMPL or JAX_ENABLE_X64, or by another version, so its run cannot be "
        "resumed; give another `run:`"
    )


def _types(tree: Any) -> Counter[str]:
    leaves = [leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype")]
    return Counter(f"{np.dtype(leaf.dtype)}{list(leaf.shape)}" for leaf in leaves)


def check_digest(path: Path, tree: Any, saved: str) -> None:
    """Raise `DamagedCheckpointError` if the arrays read from ``path`` differ from those saved."""
    if digest_of(tree) != saved:
        raise DamagedCheckpointError(f"{path}: cannot be read (its arrays differ from those saved)")


def is_damage(path: Path, error: Exception) -> bool:
    """Return whether an error in reading the checkpoint at ``path`` lies in its content.

    An error of the system or of a device (a stale handle, no memory) is none: the content may be
    sound. Content is damaged if every file can be read and is still not a checkpoint.
    """
    if isinstance(error, DamagedCheckpointError):
        return True
    if isinstance(error, (MemoryError, jax.errors.JaxRuntimeError)):
        return False
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
        return False
    if _system_error(error) not in (None, errno.ENOENT):
        return False
    try:
        for file in path.rglob("*"):
            if file.is_file():
                sha256_of(file)
    except OSError:
        return False
    return True


def reason_of(error: Exception) -> str:
    """Return an error in one line: the system's words where TensorStore quotes its number."""
    number = _system_error(error)
    if number is not None:
        return os.strerror(number)
    line = (str(error) or type(error).__name__).splitlines()[0]
    return line.partition(". See full TensorStore details")[0]


def _system_error(error: BaseException) -> int | None:
    """Return the number of the system's error behind an error, or None.

    Orbax raises its own errors from those of TensorStore.
    """
    found = re.search(r"os_error_code='(\d+)'", str(error))
    if found:
        return int(found[1])
    return None if error.__cause__ is None else _system_error(error.__cause__)


def quarantine(checkpoint: Path, reason: str) -> None:
    """Move a damaged checkpoint to ``damaged/`` beside its directory; say so on standard error."""
    damaged = checkpoint.parent.parent / "damaged"
    names = (checkpoint.name, *(f"{checkpoint.name}_{number}" for number in range(2, 1000)))
    target = next(path for path in map(damaged.joinpath, names) if not path.exists())
    print(f"{reason}; moved to {target}, the previous one is used", file=sys.stderr)
    if is_main():
        target.parent.mkdir(exist_ok=True)
        checkpoint.rename(target)
    wait_for_all("damaged checkpoint")
