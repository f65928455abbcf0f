"""Adds LoRA to a model: low-rank updates of the linear layers, and trainable embeddings."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from vlm_torch.config import LoraSection


def add_lora(model: Any, lora: LoraSection) -> PeftModel:
    """Freeze a model and add trainable weights, in float32 whatever the type of the frozen ones.

    Every linear layer gets a low-rank update, those of tower and projector included and the output
    layer excluded. Trained embeddings are a copy of the frozen ones; an output layer tied to the
    embeddings is tied to the copy.

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
    with without_deprecation_warnings():
        adapted = get_peft_model(model, config)
    assert isinstance(adapted, PeftModel)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            # Adam's steps of 1e-4 are below bfloat16's resolution for most embedding weights.
            parameter.data = parameter.data.float()
    for block in _blocks_after_features(model):
        block.requires_grad_(False)
    return adapted


def count_trainable(model: torch.nn.Module) -> tuple[int, int]:
    """Count LoRA parameters, and other trainable parameters; shared ones count once.

    LoRA parameters that get no gradient count too.
    """
    low_rank = other = 0
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            low_rank += parameter.numel()
        elif parameter.requires_grad:
            other += parameter.numel()
    return low_rank, other


def _blocks_after_features(model: Any) -> list[torch.nn.Module]:
    """Return the tower's blocks after the one whose output LLaVA takes as features.

    They get no gradient, for which distributed training would wait.
    """
    layer = getattr(model.config, "vision_feature_layer", -1)
    blocks = model.model.vision_tower.encoder.layer if layer < -1 else []
    return list(blocks[layer + 1 :]) if layer < -1 else []


@contextmanager
def without_deprecation_warnings() -> Iterator[None]:
    """Ignore the warning that peft causes by using a deprecated attribute of transformers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield
