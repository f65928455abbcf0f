"""LoRA adapters on disk: peft's two files, and the card."""

import json
import shutil
from pathlib import Path
from typing import Any

from peft import PeftModel

from elbow_core.files import atomic_folder, sha256_of
from vlm_torch.lora.card import CARD, WEIGHTS, AdapterCard, installed_versions
from vlm_torch.lora.layers import without_deprecation_warnings
from vlm_torch.models import BaseCheckpoint

_FILES = ("adapter_config.json", WEIGHTS)


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
            weights_sha256=sha256_of(partial / WEIGHTS),
            **fields,
        )
        text = json.dumps(card.model_dump(mode="json"), indent=2) + "\n"
        (partial / CARD).write_text(text, encoding="utf-8")


def load_adapter(model: Any, folder: Path) -> PeftModel:
    """Add an adapter to a loaded base model, for inference."""
    with without_deprecation_warnings():
        return PeftModel.from_pretrained(model, str(folder))
