"""Opens a base checkpoint: its processor and prompt format, and its weights."""

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoProcessor, BitsAndBytesConfig, GenerationConfig

from elbow_core.errors import ConfigError
from vlm_torch.config import ModelSection, PromptSection
from vlm_torch.inputs import Normalisation, PromptTokens, tokenise
from vlm_torch.models.base_checkpoint import BaseCheckpoint
from vlm_torch.models.families import FAMILIES
from vlm_torch.models.local_files import from_folder, require_files

# Without these transformers would look elsewhere, or guess.
_FILES = (
    ("config.json",),
    ("generation_config.json",),
    ("processor_config.json", "preprocessor_config.json"),
    ("tokenizer_config.json",),
    ("tokenizer.json", "tokenizer.model"),
)


@dataclass(frozen=True)
class InputFormat:
    """How a checkpoint takes text and images; holds no weights."""

    tokens: PromptTokens
    normalise: Normalisation
    image_size: int
    processor: Any


def read_input_format(
    base: BaseCheckpoint, model: ModelSection, prompt: PromptSection
) -> InputFormat:
    """Open a checkpoint's processor and tokenise the prompt with it.

    Raises:
        ConfigError: missing or inconsistent files, or a prompt that does not fit.
    """
    family = FAMILIES[model.architecture]
    require_files(base.path, *_FILES)
    config, processor, generation = (
        from_folder(kind, base.path, "cannot be opened as a checkpoint")
        for kind in (AutoConfig, AutoProcessor, GenerationConfig)
    )
    end_tokens = generation.eos_token_id
    images: Any = processor.image_processor
    tokens = tokenise(
        processor,
        family.format_dialogue,
        prompt,
        stop=tuple(end_tokens) if isinstance(end_tokens, list) else (end_tokens,),
        context=config.get_text_config().max_position_embeddings,
        image=config.image_token_id,
        image_tokens=family.image_tokens(config),
        needs_token_type_ids=family.needs_token_type_ids,
    )
    return InputFormat(
        tokens=tokens,
        normalise=Normalisation(tuple(images.image_mean), tuple(images.image_std)),
        image_size=config.vision_config.image_size,
        processor=processor,
    )


def load_base(base: BaseCheckpoint, model: ModelSection) -> Any:
    """Load all weights, in the type that the configuration asks for.

    Raises:
        ConfigError: missing, unexpected or misshapen weights, or 4 bits without bitsandbytes.
    """
    quantisation = _four_bit_config(model) if model.four_bit else None
    loaded, loading_info = from_folder(
        FAMILIES[model.architecture].model,
        base.path,
        "its weights cannot be loaded",
        dtype=getattr(torch, model.dtype),
        attn_implementation=model.attention,
        quantization_config=quantisation,
        use_safetensors=True,
        output_loading_info=True,
    )
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(map(str, loading_info[kind])):
            raise ConfigError(
                f"{base.path}: {len(keys)} {kind.replace('_', ' ')}, first {keys[0]}; "
                "the weights do not match config.json"
            )
    return loaded


def not_finite(weights: Iterable[tuple[str, Tensor]]) -> str | None:
    """Return the name of the first weight with a value that is nan or infinite."""
    return next((name for name, weight in weights if not torch.isfinite(weight).all()), None)


def _four_bit_config(model: ModelSection) -> BitsAndBytesConfig:
    """Return NF4 with double quantisation, as in QLoRA.

    Reference: Dettmers et al., "QLoRA: efficient finetuning of quantized LLMs", NeurIPS 2023.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            "model.four_bit: needs bitsandbytes; install it with `pip install -e '.[vlm,qlora]'`"
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, model.dtype),
    )
