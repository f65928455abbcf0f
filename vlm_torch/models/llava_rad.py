"""LLaVA-Rad: transformers' LLaVA with a DINOv2-shaped image tower and Vicuna.

`python -m vlm_torch.assemble_llava_rad` converts the published parts into such a checkpoint.
"""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Dinov2Config,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from vlm_torch.config import PromptSection
from vlm_torch.models.tiny_tokenizer import train_tokenizer

LICENCE = "the research-only terms of microsoft/llava-rad and the Llama 2 licence"
IMAGE_TOKEN = "<image>"
# Those of OpenAI's CLIP, with which the tower was trained.
IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
IMAGE_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


def make_config(vision: Dinov2Config, text: LlamaConfig, image_token: int) -> LlavaConfig:
    """Return the configuration of LLaVA-Rad with this image tower and this language model.

    The features are those of the penultimate block, without the class token and without the final
    normalisation; the projector has two layers with an exact GELU between them.
    """
    assert isinstance(vision.image_size, int)
    assert isinstance(vision.patch_size, int)
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=image_token,
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
        projector_hidden_act="gelu",
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )


def published_config() -> LlavaConfig:
    """Return the published model's shapes, with 1369 image tokens; needs no weights."""
    text = LlamaConfig(vocab_size=32_001, max_position_embeddings=4096, rms_norm_eps=1e-5)
    return make_config(tower_config(), text, image_token=32_000)


def tower_config() -> Dinov2Config:
    """Return the published tower's shapes: ViT-B/14 at 518 pixels."""
    return Dinov2Config(image_size=518, patch_size=14, use_mask_token=False)


def make_processor(tokenizer: Any, vision: Dinov2Config) -> LlavaProcessor:
    """Return a processor that resizes without cropping.

    The published one takes a centre crop, which cuts off the ends of a radiograph.
    """
    assert isinstance(vision.image_size, int)
    size = {"height": vision.image_size, "width": vision.image_size}
    images = LlavaImageProcessorPil(
        size=size,
        do_center_crop=False,
        image_mean=list(IMAGE_MEAN),
        image_std=list(IMAGE_DEVIATION),
    )
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token=IMAGE_TOKEN,
    )


def format_dialogue(processor: Any, prompt: PromptSection, answer: str | None) -> str:
    """Return the text of a dialogue in LLaVA's version of Vicuna's format, with image tokens.

    Without an ``answer`` it ends where the model's turn begins.
    """
    side = processor.image_processor.size["height"] // processor.patch_size
    system = f"{prompt.system} " if prompt.system else ""
    image = IMAGE_TOKEN * side**2
    text = f"{system}USER: {image}\n{prompt.question} ASSISTANT:"
    return text if answer is None else f"{text} {answer}{processor.tokenizer.eos_token}"


def write_tiny_checkpoint(folder: Path, image_size: int, seed: int) -> None:
    """Write a checkpoint of the same classes with about 0.2 million random weights."""
    tokenizer = train_tokenizer(
        ["<unk>", "<s>", "</s>"],
        {"image_token": IMAGE_TOKEN},
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<unk>",
    )
    ids = tokenizer.get_vocab()
    vision = Dinov2Config(
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        mlp_ratio=2,
        image_size=image_size,
        patch_size=image_size // 8,
        use_mask_token=False,
    )
    text = LlamaConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        vocab_size=len(tokenizer),
        bos_token_id=ids["<s>"],
        eos_token_id=ids["</s>"],
        pad_token_id=ids["<unk>"],
    )
    torch.manual_seed(seed)
    model = LlavaForConditionalGeneration(make_config(vision, text, ids[IMAGE_TOKEN]))
    # LoRA does not train the output layer; at transformers' standard deviation of 0.02 its logits
    # would be too small for a confident answer.
    torch.nn.init.normal_(model.lm_head.weight, std=0.3)
    model.save_pretrained(folder)
    make_processor(tokenizer, vision).save_pretrained(folder)
