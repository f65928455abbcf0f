"""LoRA: trainable layers, adapters on disk, finished runs, and merging into the base model.

`add_lora` makes a model trainable; `write_adapter` and `load_adapter` store and restore the result.
`open_finetuned_run`, `open_merged_run` and, away from a run, `open_finetuned_model` open what
`vlm_torch.finetune` and `vlm_torch.merge` wrote; `merge` merges it;
`images_seen_by` says what it learnt from.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from vlm_torch.lora.adapter import load_adapter, write_adapter
    from vlm_torch.lora.card import AdapterCard, installed_versions
    from vlm_torch.lora.finetuned_run import (
        FinetunedModel,
        FinetunedRun,
        open_finetuned_model,
        open_finetuned_run,
        open_merged_run,
    )
    from vlm_torch.lora.layers import add_lora, count_trainable
    from vlm_torch.lora.merging import merge
    from vlm_torch.lora.seen_images import images_seen_by, images_seen_by_base

__all__ = [
    "AdapterCard",
    "FinetunedModel",
    "FinetunedRun",
    "add_lora",
    "count_trainable",
    "images_seen_by",
    "images_seen_by_base",
    "installed_versions",
    "load_adapter",
    "merge",
    "open_finetuned_model",
    "open_finetuned_run",
    "open_merged_run",
    "write_adapter",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adapter": ["load_adapter", "write_adapter"],
        "card": ["AdapterCard", "installed_versions"],
        "finetuned_run": [
            "FinetunedModel",
            "FinetunedRun",
            "open_finetuned_model",
            "open_finetuned_run",
            "open_merged_run",
        ],
        "layers": ["add_lora", "count_trainable"],
        "merging": ["merge"],
        "seen_images": ["images_seen_by", "images_seen_by_base"],
    },
)
