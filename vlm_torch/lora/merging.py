"""Merges a run's adapter into its base model."""

import shutil
from pathlib import Path

import torch

from elbow_core.dataset import SEEN_FILE
from elbow_core.errors import UserError
from elbow_core.files import atomic_folder
from vlm_torch.config import ADAPTER
from vlm_torch.lora.adapter import load_adapter
from vlm_torch.lora.card import write_card
from vlm_torch.lora.finetuned_run import FinetunedRun
from vlm_torch.lora.layers import without_deprecation_warnings
from vlm_torch.lora.seen_images import images_seen_by
from vlm_torch.models import INPUT_FILES, load_base, not_finite


def merge(run: FinetunedRun, out: Path, dtype: str) -> None:
    """Write the merged checkpoint of a run to a new folder, atomically.

    The weights are added in float32, whatever the types of the base model and the result. Of the
    base model's folder, only the files of tokenizer and processor are copied.

    Raises:
        UserError: weights that cannot be loaded, or a merged weight that is not finite.
    """
    model = run.config.model.model_copy(update={"dtype": "float32", "four_bit": False})
    images_seen_by(run.path / ADAPTER, run.card)  # raises before the work
    adapted = load_adapter(load_base(run.base, model), run.path / ADAPTER, run.card.lora)
    with without_deprecation_warnings():
        merged = adapted.merge_and_unload()
    merged = merged.to(getattr(torch, dtype))
    if name := not_finite(merged.named_parameters()):
        raise UserError(
            f"{run.path / ADAPTER}: with its base model, {name} holds numbers that are not finite "
            f"in {dtype}"
        )
    with atomic_folder(out) as partial:
        for name in INPUT_FILES:
            if (run.base.path / name).is_file():
                shutil.copyfile(run.base.path / name, partial / name)
        merged.save_pretrained(partial)
        shutil.copyfile(run.path / ADAPTER / SEEN_FILE, partial / SEEN_FILE)
        write_card(partial, dict(run.card))
