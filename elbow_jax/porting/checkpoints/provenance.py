"""What lies beside a file of weights: its architecture in config.json, its commit on the hub."""

import json
import re
from pathlib import Path

from elbow_core.errors import UserError

_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")
_HUB_NAMES = ("model.safetensors", "pytorch_model.bin")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def architecture_beside(file: Path) -> str | None:
    """Return the architecture in the config.json of a file's folder, as the hub's folders have it.

    That file describes `model.safetensors` or `pytorch_model.bin`, or else the only file of weights
    in the folder. None if there is none, or if it names no architecture.

    Raises:
        UserError: if config.json is not JSON.
    """
    card = file.parent / "config.json"
    weights = [path for path in file.parent.iterdir() if path.suffix in _SUFFIXES]
    if not card.is_file() or (file.name not in _HUB_NAMES and len(weights) > 1):
        return None
    try:
        content = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{card}: cannot be read as JSON; it should describe {file.name}"
        ) from error
    name = content.get("architecture") if isinstance(content, dict) else None
    return name if isinstance(name, str) and name else None


def hub_commit(file: Path, sha256: str) -> str:
    """Return the hub's commit of a downloaded file, or an empty string where it is not known.

    The hub's cache keeps files in a folder named after the commit. ``hf download --local-dir``
    writes the commit and the digest beside the file.

    Reference: "Understand caching" in the documents of huggingface_hub.
    """
    folder = file.absolute().parent
    if folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name):
        return folder.name
    record = folder / ".cache" / "huggingface" / "download" / f"{file.name}.metadata"
    try:
        commit, digest = record.read_text(encoding="utf-8").splitlines()[:2]
    except (OSError, ValueError):
        return ""
    return commit if digest == sha256 and _COMMIT.fullmatch(commit) else ""
