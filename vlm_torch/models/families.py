"""The two architectures: class, prompt format, shapes and licence of each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import (
    Gemma3ForConditionalGeneration,
    LlavaForConditionalGeneration,
    PretrainedConfig,
)

from vlm_torch.config import Architecture, PromptSection
from vlm_torch.models import llava_rad, medgemma


@dataclass(frozen=True)
class Family:
    """One architecture.

    ``format_dialogue(processor, prompt, answer)`` returns the dialogue's text,
    ``write_tiny_checkpoint(folder, image_size, seed)`` writes a small random checkpoint,
    ``published_config()`` returns the published model's shapes, and ``image_tokens(config)`` the
    number of tokens of an image. ``needs_token_type_ids`` says whether the model needs
    ``token_type_ids`` to recognise image tokens. ``licence`` names the terms that a user accepts
    before downloading.
    """

    model: type
    model_type: str
    format_dialogue: Callable[[Any, PromptSection, str | None], str]
    write_tiny_checkpoint: Callable[[Path, int, int], None]
    published_config: Callable[[], PretrainedConfig]
    image_tokens: Callable[[Any], int]
    needs_token_type_ids: bool
    licence: str


FAMILIES: dict[Architecture, Family] = {
    "medgemma": Family(
        model=Gemma3ForConditionalGeneration,
        model_type="gemma3",
        format_dialogue=medgemma.format_dialogue,
        write_tiny_checkpoint=medgemma.write_tiny_checkpoint,
        published_config=medgemma.published_config,
        image_tokens=lambda config: config.mm_tokens_per_image,
        needs_token_type_ids=True,
        licence=medgemma.LICENCE,
    ),
    "llava_rad": Family(
        model=LlavaForConditionalGeneration,
        model_type="llava",
        format_dialogue=llava_rad.format_dialogue,
        write_tiny_checkpoint=llava_rad.write_tiny_checkpoint,
        published_config=llava_rad.published_config,
        image_tokens=lambda config: config.image_seq_length,
        needs_token_type_ids=False,
        licence=llava_rad.LICENCE,
    ),
}
