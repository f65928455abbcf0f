"""The two models that are tuned, and what the rest of the package needs to know of each."""

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

    ``dialogue(processor, prompt, answer)`` gives its text, ``write_tiny(folder, image_size, seed)``
    a small random checkpoint, ``published_config()`` the real model's shapes, and
    ``image_tokens(config)`` how many tokens an image has. ``marks_image`` says that it must be told
    by ``token_type_ids`` which tokens are the image's. ``licence`` is what a user accepts before
    the weights can be downloaded.
    """

    model: type
    model_type: str
    dialogue: Callable[[Any, PromptSection, str | None], str]
    write_tiny: Callable[[Path, int, int], None]
    published_config: Callable[[], PretrainedConfig]
    image_tokens: Callable[[Any], int]
    marks_image: bool
    licence: str


FAMILIES: dict[Architecture, Family] = {
    "medgemma": Family(
        Gemma3ForConditionalGeneration,
        "gemma3",
        medgemma.dialogue,
        medgemma.write_tiny,
        medgemma.published_config,
        lambda config: config.mm_tokens_per_image,
        True,
        medgemma.LICENCE,
    ),
    "llava_rad": Family(
        LlavaForConditionalGeneration,
        "llava",
        llava_rad.dialogue,
        llava_rad.write_tiny,
        llava_rad.published_config,
        lambda config: config.image_seq_length,
        False,
        llava_rad.LICENCE,
    ),
}
