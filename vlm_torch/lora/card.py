"""The card of an adapter or of a merged checkpoint: what it belongs to; read without peft."""

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator

from elbow_core.config import StrictModel
from elbow_core.errors import UserError, library_reason
from elbow_core.files import read_json, sha256_of
from elbow_core.radiographs import Preprocessing
from vlm_torch.config import FolderBase, LoraSection, ModelSection, PromptSection
from vlm_torch.models import BaseCheckpoint

CARD = "card.json"
SCHEMA_VERSION = 2
# An adapter saved under one release of these and loaded under another has been seen to give other
# losses, silently. A merged checkpoint is loaded without peft.
_PINNED_PACKAGES = ("transformers", "peft")
_PINNED_WHEN_MERGED = ("transformers",)
_PACKAGES = (*_PINNED_PACKAGES, "torch", "accelerate", "safetensors")


class AdapterCard(StrictModel):
    """The model, prompt, preprocessing and versions with which an adapter was trained.

    It names all files beside it. `digest` covers every field, so that none can change unnoticed.
    """

    schema_version: int
    """Version of this schema."""
    model: ModelSection
    """As configured; of a base model in a folder, the folder's name without its place."""
    lora: LoraSection
    """Rank, scale and kind of the trained weights."""
    base_origin: str
    """Hub id of the base model, or its folder's name."""
    base_revision: str
    """The hub's commit; empty for a folder."""
    base_fingerprint: str
    """Fingerprint of the base model's configuration, tokenizer, processor and weights."""
    prompt: PromptSection
    """Question and answers."""
    preprocessing: Preprocessing
    """Preprocessing of the images."""
    versions: dict[str, str]
    """Versions of the libraries at training time."""
    step: int
    """Step of the lowest validation loss."""
    validation_loss: float
    """Loss at that step."""
    files: dict[str, str]
    """SHA-256 of every file beside the card, by name."""
    card_sha256: str
    """SHA-256 of all other fields: see `digest`."""

    @field_validator("validation_loss")
    @classmethod
    def _check_loss(cls, loss: float) -> float:
        if not math.isfinite(loss):
            raise ValueError(f"validation_loss: {loss} is not finite")
        return loss

    def digest(self) -> str:
        """Return a SHA-256 over all fields but ``card_sha256``, in hexadecimal."""
        fields = self.model_dump(mode="json", exclude={"card_sha256"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def write_card(folder: Path, fields: Mapping[str, Any]) -> None:
    """Write the card of a folder, with the digests of all files in it.

    ``fields`` are those of `AdapterCard`; version and digests are set here. The place of a base
    model is left out: a card is for others too.
    """
    model: ModelSection = fields["model"]
    if isinstance(model.base, FolderBase):
        name = Path(model.base.path.absolute().name)
        model = model.model_copy(update={"base": FolderBase(path=name)})
    files = {path.name: sha256_of(path) for path in _files_of(folder)}
    updates = {"model": model, "files": files, "schema_version": SCHEMA_VERSION}
    card = AdapterCard(**{**fields, **updates, "card_sha256": ""})
    card = card.model_copy(update={"card_sha256": card.digest()})
    text = json.dumps(card.model_dump(mode="json"), indent=2) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")


def installed_versions() -> dict[str, str]:
    """Return the versions of the libraries on which an adapter depends."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def read_card(folder: Path) -> AdapterCard:
    """Read an adapter's card and check it against all its files and the installed libraries.

    Raises:
        UserError: a missing, changed or damaged adapter, or one trained under other releases of
            transformers or peft than those installed.
    """
    return _read(
        folder,
        _PINNED_PACKAGES,
        "holds no adapter; finish the run with `python -m vlm_torch.finetune`",
        "delete the folder and continue the run with --resume, which writes it again",
    )


def read_merged_card(folder: Path) -> AdapterCard:
    """Read the card in a merged checkpoint: that of the adapter, with the merged files.

    Raises:
        UserError: no card, a changed file, or another release of transformers than that installed.
    """
    again = "merge the run again with `python -m vlm_torch.merge`"
    return _read(
        folder, _PINNED_WHEN_MERGED, f"holds no {CARD}; {again}", f"delete the folder and {again}"
    )


def require_base(folder: Path, card: AdapterCard, base: BaseCheckpoint) -> None:
    """Raise `UserError` unless a base model is the one that an adapter was trained on."""
    if base.fingerprint != card.base_fingerprint:
        expected = f"{card.base_origin} {card.base_revision}".strip()
        raise UserError(
            f"{base.path}: is not the base model of {folder}, which is {expected}; with other base "
            "weights an adapter gives meaningless scores"
        )


def _read(folder: Path, packages: Sequence[str], missing: str, again: str) -> AdapterCard:
    path = folder / CARD
    try:
        content = read_json(path)
        version = content.get("schema_version") if isinstance(content, dict) else None
        if type(version) is int and version < SCHEMA_VERSION:
            raise UserError(
                f"{path}: is of version {version}, which does not name all files; {again}"
            )
        if type(version) is int and version > SCHEMA_VERSION:
            raise UserError(
                f"{path}: version {version} is newer than this program's {SCHEMA_VERSION}; update "
                "the program"
            )
        card = AdapterCard.model_validate_json(json.dumps(content))
    except FileNotFoundError as error:
        raise UserError(f"{folder}: {missing}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValidationError, ValueError) as error:
        reason = library_reason(error)
        raise UserError(f"{path}: is not the card of an adapter ({reason})") from error
    if card.digest() != card.card_sha256:
        raise UserError(
            f"{path}: has been changed since it was written (its SHA-256 differs); restore it, or "
            f"{again}"
        )
    for name in packages:
        trained, installed = card.versions.get(name), _installed(name)
        if trained != installed:
            raise UserError(
                f"{folder}: was trained under {name} {trained}, and {installed} is installed; "
                f"other releases may compute other scores, so `pip install {name}=={trained}`"
            )
    _require_files(folder, card, again)
    return card


def _require_files(folder: Path, card: AdapterCard, again: str) -> None:
    """Check that a folder holds the files that its card names, and no other."""
    found = {path.name: path for path in _files_of(folder)}
    for name, digest in card.files.items():
        path = folder / name
        if name not in found:
            raise UserError(f"{path}: does not exist; restore it, or {again}")
        if not path.is_file():
            raise UserError(f"{path}: is not a regular file; restore it, or {again}")
        if sha256_of(path) != digest:
            raise UserError(
                f"{path}: is not the file that {CARD} names (its SHA-256 differs); restore it, or "
                f"{again}"
            )
    for name in found:
        if name not in card.files:
            raise UserError(f"{folder / name}: is not a file that {CARD} names; move it away")


def _files_of(folder: Path) -> Iterable[Path]:
    """Return what a folder holds beside its card, without hidden files that systems write."""
    return sorted(
        path for path in folder.iterdir() if path.name != CARD and not path.name.startswith(".")
    )


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
