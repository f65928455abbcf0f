"""The card of an adapter or of a merged checkpoint: what it belongs to; read without peft."""

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from elbow_core.config import StrictModel
from elbow_core.errors import UserError
from elbow_core.files import sha256_of
from elbow_core.radiographs import Preprocessing
from vlm_torch.config import ModelSection, PromptSection
from vlm_torch.models import BaseCheckpoint

CARD = "card.json"
WEIGHTS = "adapter_model.safetensors"
# An adapter saved under one release of these and loaded under another has been seen to give other
# losses, silently. A merged checkpoint is loaded without peft.
_PINNED_PACKAGES = ("transformers", "peft")
_PINNED_WHEN_MERGED = ("transformers",)
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


def read_card(folder: Path) -> AdapterCard:
    """Read an adapter's card and check it against the weights and the installed libraries.

    Raises:
        UserError: a missing or damaged adapter, or one trained under other releases of transformers
            or peft than those installed.
    """
    card = _read(
        folder,
        _PINNED_PACKAGES,
        "holds no adapter; finish the run with `python -m vlm_torch.finetune`",
    )
    try:
        digest = sha256_of(folder / WEIGHTS)
    except OSError as error:
        raise UserError(f"{folder / WEIGHTS}: cannot be read: {error.strerror}") from error
    if digest != card.weights_sha256:
        raise UserError(f"{folder / WEIGHTS}: is not the file that {CARD} describes")
    return card


def read_merged_card(folder: Path) -> AdapterCard:
    """Read the card in a merged checkpoint: that of the adapter that was merged.

    Raises:
        UserError: no card, or another release of transformers than that installed.
    """
    return _read(
        folder,
        _PINNED_WHEN_MERGED,
        f"holds no {CARD}; merge the run again with `python -m vlm_torch.merge`",
    )


def require_base(folder: Path, card: AdapterCard, base: BaseCheckpoint) -> None:
    """Raise `UserError` unless a base model is the one that an adapter was trained on."""
    if base.fingerprint != card.base_fingerprint:
        expected = f"{card.base_origin} {card.base_revision}".strip()
        raise UserError(
            f"{base.path}: is not the base model of {folder}, which is {expected}; with other base "
            "weights an adapter gives meaningless scores"
        )


def _read(folder: Path, packages: Sequence[str], missing: str) -> AdapterCard:
    path = folder / CARD
    try:
        card = AdapterCard.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{folder}: {missing}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise UserError(f"{path}: is not the card of an adapter") from error
    for name in packages:
        trained, installed = card.versions.get(name), _installed(name)
        if trained != installed:
            raise UserError(
                f"{folder}: was trained under {name} {trained}, and {installed} is installed; "
                f"other releases may compute other scores, so `pip install {name}=={trained}`"
            )
    return card


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
