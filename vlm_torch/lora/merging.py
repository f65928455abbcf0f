"""Merges a run's adapter into its base model."""

import shutil
from pathlib import Path

import torch

from elbow_core.files import atomic_folder
from vlm_torch.config import ADAPTER
from vlm_torch.lora.adapter import load_adapter
from vlm_torch.lora.card import CARD
from vlm_torch.lora.finetuned_run import FinetunedRun
from vlm_torch.lora.layers import without_deprecation_warnings
from vlm_torch.models import load_base

# Copied from the base checkpoint; save_pretrained writes the other files.
_COPIED = ("*.json", "*.jinja", "*.model", "*.txt")
_NOT_COPIED = ("config.json", "generation_config.json", "model.safetensors.index.json")


def merge(run: FinetunedRun, out: Path, dtype: str) -> None:
    """Write the merged checkpoint of a run to a new folder, atomically.

    The weights are added in float32, whatever the types of the base model and the result.

    Raises:
        ConfigError: weights that cannot be loaded.
    """
    model = run.config.model.model_copy(update={"dtype": "float32", "four_bit": False})
    adapted = load_adapter(load_base(run.base, model), run.path / ADAPTER)
    with without_deprecation_warnings():
        merged = adapted.merge_and_unload(safe_merge=True)
    merged = merged.to(getattr(torch, dtype))
    with atomic_folder(out) as partial:
        for pattern in _COPIED:
            for file in run.base.path.glob(pattern):
                if file.name not in _NOT_COPIED:
                    shutil.copyfile(file, partial / file.name)
        merged.save_pretrained(partial)
        shutil.copyfile(run.path / ADAPTER / CARD, partial / CARD)
