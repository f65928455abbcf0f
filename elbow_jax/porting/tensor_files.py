"""Read and write files of tensors: `.safetensors`, and PyTorch's own with torch installed."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from elbow_core.errors import UserError
from elbow_core.files import atomic_file


def read_tensors(file: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return a file's tensors by name, and its metadata (empty for PyTorch's format).

    Raises:
        UserError: if the file cannot be read or does not hold a state dict.
    """
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="numpy") as opened:
                names = opened.keys()
                metadata = opened.metadata() or {}
                return {name: opened.get_tensor(name) for name in names}, metadata
        return _read_torch(file), {}
    except (SafetensorError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{file}: not a file of weights ({reason})") from error


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write a `.safetensors` file, completely or not at all; create its directory if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as partial:
        save_file(dict(tensors), partial, metadata=metadata)


def _read_torch(file: Path) -> dict[str, np.ndarray]:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise UserError(
            f"{file}: only torch reads this format; install it, or give a .safetensors file"
        ) from error
    content = torch.load(file, map_location="cpu", weights_only=True)
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise UserError(f"{file}: holds no state dict (a table of tensors by name)")
    return {key: value.float().numpy() for key, value in content.items()}
