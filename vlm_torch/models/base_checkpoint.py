"""Base checkpoints: downloaded from the hub, read from a folder, or built small; identified."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoConfig, PretrainedConfig

from elbow_core.errors import ConfigError
from elbow_core.files import atomic_folder
from vlm_torch.config import FolderBase, HubBase, ModelSection, TinyBase
from vlm_torch.models.families import FAMILIES
from vlm_torch.models.hub import download

_SAMPLED_BYTES = 1 << 16


@dataclass(frozen=True)
class BaseCheckpoint:
    """A local checkpoint of a base model, and its identity.

    ``origin`` is its name in the configuration; ``revision`` the hub's commit, or empty;
    ``fingerprint`` distinguishes it from checkpoints with other weights.
    """

    path: Path
    origin: str
    revision: str
    fingerprint: str


def find_base(model: ModelSection, runs_folder: Path) -> BaseCheckpoint:
    """Return the checkpoint that a configuration names; download or build it if necessary.

    Args:
        model: names the checkpoint.
        runs_folder: folder in which a tiny checkpoint is built.

    Raises:
        ConfigError: no such folder, or not a checkpoint of this architecture.
        UserError: the hub refuses; the message says which terms to accept or what to download.
    """
    family = FAMILIES[model.architecture]
    revision = ""
    if isinstance(model.base, HubBase):
        origin = model.base.id
        path, revision = download(model.base.id, model.base.revision, family.licence)
    elif isinstance(model.base, FolderBase):
        path, origin = model.base.path, str(model.base.path)
    else:
        size, seed = model.base.image_size, model.base.seed
        origin = f"tiny_{model.architecture}_base_{size}_{seed}"
        path = runs_folder / origin
        if not path.is_dir():
            with atomic_folder(path) as partial:
                family.write_tiny_checkpoint(partial, size, seed)
    model_type = _read_model_type(path)
    if model_type != family.model_type:
        raise ConfigError(
            f"{path}: holds a model of type {model_type!r}; model.architecture "
            f"{model.architecture} needs {family.model_type!r}"
        )
    return BaseCheckpoint(path, origin, revision, _fingerprint(path))


def read_model_config(model: ModelSection, runs_folder: Path) -> PretrainedConfig:
    """Return the base model's configuration, without downloading anything.

    It is the local checkpoint's where there is one, and the published one otherwise.
    """
    if isinstance(model.base, TinyBase) or (
        isinstance(model.base, FolderBase) and model.base.path.is_dir()
    ):
        base = find_base(model, runs_folder)
        return AutoConfig.from_pretrained(base.path, local_files_only=True)
    return FAMILIES[model.architecture].published_config()


def _read_model_type(path: Path) -> str:
    file = path / "config.json"
    if not path.is_dir():
        raise ConfigError(f"model.base.path: {path}: no such folder")
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file}: is not the configuration of a checkpoint in transformers' format "
            f"({type(error).__name__})"
        ) from error


def _fingerprint(path: Path) -> str:
    """Return a SHA-256 over config.json and, of each file of weights, its header and samples.

    Hashing a whole checkpoint would take a minute at every start.
    """
    digest = hashlib.sha256()
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise ConfigError(f"{path}: holds no weights (*.safetensors)")
    settings = json.loads((path / "config.json").read_text(encoding="utf-8"))
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for file in weights:
        size = file.stat().st_size
        with file.open("rb") as opened:
            header = int.from_bytes(opened.read(8), "little")
            digest.update(f"{file.name} {size}".encode())
            digest.update(opened.read(min(header, size)))
            for sample in range(8):
                opened.seek(max(0, (size - _SAMPLED_BYTES) * sample // 7))
                digest.update(opened.read(_SAMPLED_BYTES))
    return digest.hexdigest()
