"""Read and write files of tensors: `.safetensors`, and PyTorch's own with torch installed."""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from elbow_core.errors import UserError, library_reason
from elbow_core.files import atomic_file, require_output_file
from elbow_jax.porting.checkpoints.state_dicts import select_weights

# Types of weights, by safetensors' names; counters may be integers.
_FLOATS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}
_OWN_METADATA = ("elbow_jax.network", "weights_sha256")  # of a file that the command wrote
_COUNTERS = ("num_batches_tracked", "n_averaged")

# torch's words for a pickle that holds more than tensors.
_OBJECTS = re.compile(r"(?:GLOBAL|function|but got)(?: <\w+ '?| )([\w.]+)")
_BLOCKED = "is blocked"  # a function that no checkpoint needs, such as os.system


@dataclass(frozen=True)
class TensorFile:
    """The weights of a file.

    Attributes:
        tensors: by name, without the prefixes of wrappers; floating-point ones are float32.
        metadata: of a `.safetensors` file.
        architecture: its name as the file states it, or None.
        taken: where in the file the weights were, if it holds more: see `Selection`.
    """

    tensors: dict[str, np.ndarray]
    metadata: dict[str, str]
    architecture: str | None
    taken: str


def read_tensors(file: Path) -> TensorFile:
    """Read a file of weights.

    Raises:
        UserError: if the file cannot be read, holds no state dict, holds Python objects, whose
            reading could run code, or has a tensor of a type that is not one of weights.
    """
    try:
        if file.suffix == ".safetensors":
            content, metadata = _read_safetensors(file)
        else:
            content, metadata = _read_torch(file), {}
        selection = select_weights(content)
        tensors = {name: _to_numpy(file, name, value) for name, value in selection.tensors.items()}
    except UserError:
        raise
    except Exception as error:  # torch's reader raises any kind for a file that is not its own
        raise UserError(f"{file}: not a file of weights ({library_reason(error)})") from error
    stated = [source.get(key) for source in (content, metadata) for key in ("architecture", "arch")]
    architecture = next((name for name in stated if isinstance(name, str) and name), None)
    return TensorFile(tensors, metadata, architecture, str(selection))


def require_own_file(path: Path) -> None:
    """Raise `UserError` unless a file of tensors is absent or was written by this package.

    The file to port may lie in the folder that the result is written to, under the same name.
    """
    if path.parent.is_dir():
        require_output_file(path, regular=True)
    if not path.exists():
        return
    try:
        with safe_open(path, framework="numpy") as opened:
            own = any(key in _OWN_METADATA for key in opened.metadata() or {})
    except Exception:  # of the format's reader, for a file of another kind
        own = False
    if not own:
        raise UserError(f"{path}: exists and was not written by this command; name another --out")


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write a `.safetensors` file, completely or not at all; create its directory if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        save_file(dict(tensors), partial, metadata=metadata)


def _read_safetensors(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    with safe_open(file, framework="numpy") as opened:
        names = list(opened.keys())
        for name in names:
            stored = opened.get_slice(name).get_dtype()
            if stored not in _FLOATS and not name.endswith(_COUNTERS):
                raise UserError(_wrong_type(file, name, stored))
        return {name: opened.get_tensor(name) for name in names}, opened.metadata() or {}


def _read_torch(file: Path) -> dict[str, Any]:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise UserError(
            f"{file}: only torch reads this format; install it, or give a .safetensors file"
        ) from error
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if found := _OBJECTS.search(str(error)):
            blocked = _BLOCKED in str(error)
            raise UserError(
                _code_inside(file, found[1]) if blocked else _objects_inside(file, found[1])
            ) from error
        raise
    if not isinstance(content, dict) or not all(
        torch.is_tensor(value) for value in select_weights(content).tensors.values()
    ):
        raise UserError(f"{file}: holds no state dict (a table of tensors by name)")
    return content


def _to_numpy(file: Path, name: str, value: Any) -> np.ndarray:
    """Return a tensor as float32, or as it is if it holds integers."""
    if isinstance(value, np.ndarray):
        stored = value.dtype.name
        array = value.astype(np.float32) if stored in _FLOATS.values() else value
        return np.ascontiguousarray(array)
    import torch

    stored = str(value.dtype).removeprefix("torch.")
    if stored in _FLOATS.values() and value.layout == torch.strided and not value.is_quantized:
        return value.detach().float().numpy()
    if name.endswith(_COUNTERS):
        return value.detach().numpy()
    kind = stored if value.layout == torch.strided else f"{stored}, {value.layout}"
    raise UserError(_wrong_type(file, name, kind))


def _wrong_type(file: Path, name: str, stored: str) -> str:
    return (
        f"{file}: {name} is stored as {stored}; weights must be "
        f"{', '.join(_FLOATS.values())}, so give the file from before its quantisation"
    )


def _code_inside(file: Path, name: str) -> str:
    return f"{file}: not a file of weights: reading it would call {name}; do not open it"


def _objects_inside(file: Path, kind: str) -> str:
    return (
        f"{file}: not a file of weights alone: it also holds Python objects ({kind}), and reading "
        "them could run any code; ask its author for the tensors alone, written by "
        "`torch.save(model.state_dict(), FILE)` or as .safetensors"
    )
