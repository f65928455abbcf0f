"""LoRA adapters on disk: peft's two files, and a card that records what they belong to."""

import importlib.metadata
import json
import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel
from pydantic import ValidationError

from elbow_core.config import StrictModel
from elbow_core.errors import UserError
from elbow_core.files import atomic_folder, sha256_of
from elbow_core.radiographs import Preprocessing
from vlm_torch.config import ModelSection, PromptSection
from vlm_torch.lora.layers import without_deprecation_warnings
from vlm_torch.models import BaseCheckpoint

CARD = "card.json"
_WEIGHTS = "adapter_model.safetensors"
_FILES = ("adapter_config.json", _WEIGHTS)
# An adapter saved under one release of these and loaded under another has been seen to give other
# losses, silently.
_PINNED_PACKAGES = ("transformers", "peft")
_PACKAGES = (*_PINNED_PACKAGES, "torch", "accelerate", "safetensors")


class AdapterCard(StrictModel):
    """The model, prompt, preprocessing and versions with which an adapter was trained."""

    schema_version: int = 1
    """Version of this schema."""
    model: ModelSection
    """As configured."""
    base_origin: str
    """Hub id or folder of the base model."""
    base_revision: str
    """The hub's commit; empty for a folder."""
    base_fingerprint: str
    """Fingerprint of the base model's configuration and weights."""
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
    weights_sha256: str
    """SHA-256 of the adapter's file of weights."""


def installed_versions() -> dict[str, str]:
    """Return the versions of the libraries on which an adapter depends."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def write_adapter(folder: Path, checkpoint: Path, base: BaseCheckpoint, **fields: Any) -> None:
    """Copy the adapter from a Trainer checkpoint and write its card, atomically.

    ``fields`` are those of `AdapterCard` that concern the run.
    """
    with atomic_folder(folder) as partial:
        for name in _FILES:
            shutil.copyfile(checkpoint / name, partial / name)
        card = AdapterCard(
            base_origin=base.origin,
            base_revision=base.revision,
            base_fingerprint=base.fingerprint,
            versions=installed_versions(),
            weights_sha256=sha256_of(partial / _WEIGHTS),
            **fields,
        )
        text = json.dumps(card.model_dump(mode="json"), indent=2) + "\n"
        (partial / CARD).write_text(text, encoding="utf-8")


def read_card(folder: Path) -> AdapterCard:
    """Read an adapter's card and check it against the weights and the installed libraries.

    Raises:
        UserError: a missing or damaged adapter, or one trained under other releases of transformers
            or peft than those installed.
    """
    path = folder / CARD
    try:
        card = AdapterCard.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{folder}: holds no adapter; finish the run with `python -m vlm_torch.finetune`"
        ) from error
    except (OSError, ValidationError) as error:
        raise UserError(f"{path}: is not the card of an adapter") from error
    for name in _PINNED_PACKAGES:
        trained, installed = card.versions.get(name), importlib.metadata.version(name)
        if trained != installed:
            raise UserError(
                f"{folder}: was trained under {name} {trained}, and {installed} is installed; "
                f"other releases may compute other scores, so `pip install {name}=={trained}`"
            )
    try:
        digest = sha256_of(folder / _WEIGHTS)
    except OSError as error:
        raise UserError(f"{folder / _WEIGHTS}: cannot be read: {error.strerror}") from error
    if digest != card.weights_sha256:
        raise UserError(f"{folder / _WEIGHTS}: is not the file that {CARD} describes")
    return card


def require_base(folder: Path, card: AdapterCard, base: BaseCheckpoint) -> None:
    """Raise `UserError` unless a base model is the one that an adapter was trained on."""
    if base.fingerprint != card.base_fingerprint:
        expected = f"{card.base_origin} {card.base_revision}".strip()
        raise UserError(
            f"{base.path}: is not the base model of {folder}, which is {expected}; with other base "
            "weights an adapter gives meaningless scores"
        )


def load_adapter(model: Any, folder: Path) -> PeftModel:
    """Add an adapter to a loaded base model, for inference."""
    with without_deprecation_warnings():
        return PeftModel.from_pretrained(model, str(folder))
