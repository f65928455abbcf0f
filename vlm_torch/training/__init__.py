"""Fine-tuning: the data set, transformers' Trainer, checkpoints, and memory estimates.

`finetune` trains from configuration to adapter; `describe_memory` says what a configuration needs.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from vlm_torch.training.finetuning import finetune
    from vlm_torch.training.memory_table import describe_memory

__all__ = ["describe_memory", "finetune"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "finetuning": ["finetune"],
        "memory_table": ["describe_memory"],
    },
)
