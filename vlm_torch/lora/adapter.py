"""A tuned adapter on disk: peft's two files, and a card that says what they belong to."""

import hashlib
import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel
from pydantic import ValidationError

from elbow_core.config import StrictModel
from elbow_core.errors import UserError
from elbow_core.radiographs.preprocessing import Preprocessing
from vlm_torch.config import ModelSection, PromptSection
from vlm_torch.lora.layers import without_deprecations
from vlm_torch.models.base import BaseFolder

CARD = "card.json"
_WEIGHTS = "adapter_model.safetensors"
_FILES = ("adapter_config.json", _WEIGHTS)
# An adapter that was saved under one release of these and loaded under another has been seen to
# give other losses without a word.
_BOUND_VERSIONS = ("transformers", "peft")
_PACKAGES = (*_BOUND_VERSIONS, "torch", "accelerate", "safetensors")


class AdapterCard(StrictModel):
    """What an adapter belongs to; without all of it the same weights mean something else."""

    schema_version: int = 1
    """Of this card."""
    model: ModelSection
    """As it was configured."""
    base_origin: str
    """Hub id or folder of the base model."""
    base_revision: str
    """The hub's commit; empty for a folder."""
    base_fingerprint: str
    """Of the base model's configuration and weights."""
    prompt: PromptSection
    """Question and answers."""
    preprocessing: Preprocessing
    """Of the images."""
    versions: dict[str, str]
    """Of the libraries under which it was trained."""
    step: int
    """The step whose validation loss was the lowest."""
    validation_loss: float
    """At that step."""
    weights_sha256: str
    """Of the adapter's tensors."""


def installed_versions() -> dict[str, str]:
    """Return the versions of the libraries on which an adapter depends."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def write_adapter(folder: Path, checkpoint: Path, base: BaseFolder, **fields: Any) -> None:
    """Copy the adapter of a Trainer's checkpoint and write its card; whole or not at all."""
    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(checkpoint / name, making / name)
    card = AdapterCard(
        base_origin=base.origin,
        base_revision=base.revision,
        base_fingerprint=base.fingerprint,
        versions=installed_versions(),
        weights_sha256=_sha256(making / _WEIGHTS),
        **fields,
    )
    text = json.dumps(card.model_dump(mode="json"), indent=2) + "\n"
    (making / CARD).write_text(text, encoding="utf-8")
    making.replace(folder)


def read_card(folder: Path) -> AdapterCard:
    """Read an adapter's card.

    Raises:
        UserError: no adapter there, a damaged one, or one of other releases of transformers or
            peft than are installed.
    """
    path = folder / CARD
    try:
        card = AdapterCard.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{folder}: holds no adapter; finish the run with `python -m vlm_torch.finetune`"
        ) from error
    except (OSError, ValidationError) as error:
        raise UserError(f"{path}: is not an adapter's card") from error
    for name in _BOUND_VERSIONS:
        trained, here = card.versions.get(name), importlib.metadata.version(name)
        if trained != here:
            raise UserError(
                f"{folder}: was trained under {name} {trained}, and {here} is installed; other "
                f"releases may compute other scores, so `pip install {name}=={trained}`"
            )
    if _sha256(folder / _WEIGHTS) != card.weights_sha256:
        raise UserError(f"{folder / _WEIGHTS}: is not the file that {CARD} describes")
    return card


def require_base(folder: Path, card: AdapterCard, base: BaseFolder) -> None:
    """Raise `UserError` where a base model is not the one that an adapter was trained on."""
    if base.fingerprint != card.base_fingerprint:
        wanted = f"{card.base_origin} {card.base_revision}".strip()
        raise UserError(
            f"{base.path}: is not the base model of {folder}, which is {wanted}; other weights "
            "under the same adapter give meaningless scores"
        )


def load_adapter(model: Any, folder: Path) -> PeftModel:
    """Put an adapter beside a loaded base model, for inference."""
    with without_deprecations():
        return PeftModel.from_pretrained(model, str(folder))


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from error
