"""The base models: architectures, checkpoints, processors and weights.

`FAMILIES` describes the two architectures. `find_base` locates a checkpoint, `read_input_format`
opens its processor, `load_base` its weights. `assemble_llava_rad` builds a checkpoint from
LLaVA-Rad's published parts.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from vlm_torch.models.base_checkpoint import BaseCheckpoint, find_base, read_model_config
    from vlm_torch.models.families import FAMILIES
    from vlm_torch.models.llava_rad_assembly import assemble_llava_rad
    from vlm_torch.models.loading import InputFormat, load_base, not_finite, read_input_format
    from vlm_torch.models.local_files import ADAPTER_CONFIG, INPUT_FILES, read_config

__all__ = [
    "ADAPTER_CONFIG",
    "FAMILIES",
    "INPUT_FILES",
    "BaseCheckpoint",
    "InputFormat",
    "assemble_llava_rad",
    "find_base",
    "load_base",
    "not_finite",
    "read_config",
    "read_input_format",
    "read_model_config",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base_checkpoint": ["BaseCheckpoint", "find_base", "read_model_config"],
        "families": ["FAMILIES"],
        "llava_rad_assembly": ["assemble_llava_rad"],
        "loading": ["InputFormat", "load_base", "not_finite", "read_input_format"],
        "local_files": ["ADAPTER_CONFIG", "INPUT_FILES", "read_config"],
    },
)
