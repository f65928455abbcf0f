"""Base checkpoints: downloaded from the hub, read from a folder, or built small; identified."""

import hashlib
import json
import stat
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoConfig, PretrainedConfig

from elbow_core.errors import ConfigError
from elbow_core.files import (
    atomic_folder,
    is_locked_output,
    locked_output,
    remove_finished,
    sha256_of,
)
from vlm_torch.config import FolderBase, HubBase, ModelSection, TinyBase
from vlm_torch.models.families import FAMILIES
from vlm_torch.models.hub import download
from vlm_torch.models.local_files import (
    INPUT_FILES,
    from_folder,
    read_config,
    require_files,
    require_plain_folder,
)

_SAMPLED_BYTES = 1 << 16


@dataclass(frozen=True)
class BaseCheckpoint:
    """A local checkpoint of a base model, and its identity.

    ``origin`` is the hub's name, or that of the folder without its place; ``revision`` the hub's
    commit, or empty; ``fingerprint`` distinguishes it from checkpoints that compute other scores.
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
        ConfigError: no such folder, not a checkpoint of this architecture, or one with code of its
            own.
        UserError: the hub refuses; the message says which terms to accept or what to download.
    """
    family = FAMILIES[model.architecture]
    revision = ""
    if isinstance(model.base, HubBase):
        origin = model.base.id
        _refuse_missing_folder(origin)
        path, revision = download(model.base.id, model.base.revision, family.licence)
    elif isinstance(model.base, FolderBase):
        path, origin = model.base.path, model.base.path.absolute().name
    else:
        size, seed = model.base.image_size, model.base.seed
        origin = f"tiny_{model.architecture}_base_{size}_{seed}"
        path = runs_folder / origin
        if not path.is_dir() or is_locked_output(path):
            with locked_output(path):
                remove_finished(path)
                if not path.is_dir():  # by the process that held the lock
                    with atomic_folder(path) as partial:
                        family.write_tiny_checkpoint(partial, size, seed)
    require_plain_folder(path, "model.base.path")
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
        return from_folder(AutoConfig, base.path, "its configuration cannot be opened")
    return FAMILIES[model.architecture].published_config()


def _refuse_missing_folder(name: str) -> None:
    """Refuse a name of the hub that is one of a folder here: it would be asked for on the hub."""
    owner = Path(name).parent
    if owner.is_dir() and not Path(name).exists():
        raise ConfigError(
            f"model.base.id: {name}: there is a folder {owner} here, and no {Path(name).name} in "
            "it; correct the path and give it as {kind: folder, path: FOLDER}, or start the "
            f"command elsewhere if you mean {name} on the hub"
        )


def _read_model_type(path: Path) -> str:
    require_files(path, ("config.json",))
    model_type = read_config(path / "config.json").get("model_type")
    if not isinstance(model_type, str):
        raise ConfigError(
            f"{path / 'config.json'}: is not the configuration of a checkpoint in transformers' "
            "format (it has no model_type)"
        )
    return model_type[:80]


def _fingerprint(path: Path) -> str:
    """Return a SHA-256 over what a checkpoint computes with, after the version of this function.

    These are config.json and the files of generation, tokenizer and processor, and of each file of
    weights its header and samples: hashing all weights would take a minute at every start.
    """
    digest = hashlib.sha256()
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise ConfigError(f"{path}: holds no weights (*.safetensors)")
    settings = read_config(path / "config.json")
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for name in ("generation_config.json", *INPUT_FILES):
        if (path / name).is_file():
            digest.update(f"{name} {sha256_of(path / name)}".encode())
    for file in weights:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{file}: is not a regular file")
        size = status.st_size
        with file.open("rb") as opened:
            header = int.from_bytes(opened.read(8), "little")
            digest.update(f"{file.name} {size}".encode())
            digest.update(opened.read(min(header, size)))
            for sample in range(8):
                opened.seek(max(0, (size - _SAMPLED_BYTES) * sample // 7))
                digest.update(opened.read(_SAMPLED_BYTES))
    return f"2-{digest.hexdigest()}"
