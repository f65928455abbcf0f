"""MedGemma: transformers' Gemma 3 with a SigLIP image tower.

Reference: the published configuration of ``google/medgemma-4b-it``, which is Gemma 3 4B's.
"""

from pathlib import Path

import torch
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

from vlm_torch.config import PromptSection
from vlm_torch.models.tiny_tokenizer import train_tokenizer

LICENCE = "the Health AI Developer Foundations terms"

# Gemma 3's dialogue format: the system prompt opens the first user turn.
_TINY_TEMPLATE = """{{ bos_token }}{% set first = '' %}\
{% if messages[0]['role'] == 'system' %}\
{% set first = messages[0]['content'][0]['text'] + '\n\n' %}\
{% set messages = messages[1:] %}{% endif %}\
{% for message in messages %}\
<start_of_turn>{{ 'model' if message['role'] == 'assistant' else 'user' }}\n\
{{ first if loop.first else '' }}\
{% for part in message['content'] %}\
{{ '<start_of_image>' if part['type'] == 'image' else part['text'] | trim }}\
{% endfor %}<end_of_turn>\n{% endfor %}\
{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"""


def published_config() -> Gemma3Config:
    """Return the published model's shapes; needs no weights."""
    text = {
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "sliding_window": 1024,
        "vocab_size": 262_208,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    }
    vision = {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "image_size": 896,
        "patch_size": 14,
        "vision_use_head": False,
        "model_type": "siglip_vision_model",
    }
    return Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=256)


def format_dialogue(processor: Gemma3Processor, prompt: PromptSection, answer: str | None) -> str:
    """Return the text of a dialogue by the checkpoint's chat template, with image tokens.

    Without an ``answer`` it ends where the model's turn begins.
    """
    question = [{"type": "image"}, {"type": "text", "text": prompt.question}]
    messages: list[dict] = [{"role": "user", "content": question}]
    if prompt.system:
        system = [{"type": "text", "text": prompt.system}]
        messages = [{"role": "system", "content": system}, *messages]
    if answer is not None:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
    text = processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=answer is None
    )
    return str(text).replace(processor.boi_token, processor.full_image_sequence)


def write_tiny_checkpoint(folder: Path, image_size: int, seed: int) -> None:
    """Write a checkpoint of the same classes with about 0.2 million random weights."""
    special = ["<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    image = {
        "image_token": "<image_soft_token>",
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
    }
    tokenizer = train_tokenizer(
        special, image, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>"
    )
    ids = tokenizer.get_vocab()
    text = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "query_pre_attn_scalar": 16,
        "sliding_window": 64,
        "max_position_embeddings": 512,
        "vocab_size": len(tokenizer),
        "pad_token_id": ids["<pad>"],
        "bos_token_id": ids["<bos>"],
        "eos_token_id": [ids["<eos>"], ids["<end_of_turn>"]],
    }
    vision = {
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": image_size,
        "patch_size": image_size // 8,
        "vision_use_head": False,
        "model_type": "siglip_vision_model",
    }
    config = Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=16,
        image_token_index=ids["<image_soft_token>"],
        boi_token_index=ids["<start_of_image>"],
        eoi_token_index=ids["<end_of_image>"],
    )
    torch.manual_seed(seed)
    model = Gemma3ForConditionalGeneration(config)
    # transformers initialises this matrix with zeros, which block the image, and LoRA does not
    # train it.
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight, std=0.1)
    generation = model.generation_config
    assert generation is not None
    generation.eos_token_id = text["eos_token_id"]
    generation.pad_token_id = text["pad_token_id"]
    generation.bos_token_id = text["bos_token_id"]
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil(
            size={"height": image_size, "width": image_size},
            image_mean=[0.5, 0.5, 0.5],
            image_std=[0.5, 0.5, 0.5],
        ),
        tokenizer,
        chat_template=_TINY_TEMPLATE,
        image_seq_length=16,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
