"""Low-rank updates of every linear layer, and the embeddings whole."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from vlm_torch.config import LoraSection


def add_lora(model: Any, lora: LoraSection) -> PeftModel:
    """Freeze a model and add what is trained: float32, whatever the frozen weights are.

    LoRA stands beside every linear layer but the output, the tower's and the projector's too.
    Trained embeddings are a copy of the frozen ones; where the output is tied to the embeddings it
    is tied to the copy.

    Reference: Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.
    """
    trained = lora.embeddings == "trained"
    tied = bool(model.config.get_text_config().tie_word_embeddings)
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        modules_to_save=["embed_tokens"] if trained else None,
        ensure_weight_tying=trained and tied,
        task_type="CAUSAL_LM",
    )
    with without_deprecations():
        adapted = get_peft_model(model, config)
    assert isinstance(adapted, PeftModel)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            # Adam's steps of 1e-4 are below bfloat16's resolution for most embedding weights.
            parameter.data = parameter.data.float()
    for block in _unused_blocks(model):
        block.requires_grad_(False)
    return adapted


def count_trained(model: torch.nn.Module) -> tuple[int, int]:
    """Return how many parameters LoRA adds, and how many others are trained; shared ones once."""
    low_rank = whole = 0
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            low_rank += parameter.numel()
        elif parameter.requires_grad:
            whole += parameter.numel()
    return low_rank, whole


def _unused_blocks(model: Any) -> list[torch.nn.Module]:
    """Return the tower's blocks behind the features that LLaVA takes.

    No gradient reaches them, which several processes would wait for.
    """
    layer = getattr(model.config, "vision_feature_layer", -1)
    blocks = model.model.vision_tower.encoder.layer if layer < -1 else []
    return list(blocks[layer + 1 :]) if layer < -1 else []


@contextmanager
def without_deprecations() -> Iterator[None]:
    """Pass over what transformers deprecates and peft still asks for; no user can mend it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
