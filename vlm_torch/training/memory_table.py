"""The memory table of `--dry-run`: parameters and GiB under each memory-saving setting."""

import torch
from transformers import PretrainedConfig

from vlm_torch.config import FinetuneConfig
from vlm_torch.models import read_model_config
from vlm_torch.training.memory import TEXT_TOKENS, estimate_memory


def describe_memory(config: FinetuneConfig) -> str:
    """Return a sentence on the configuration, and its memory table."""
    images = config.batch_size // config.accumulate
    shapes = read_model_config(config.model, config.run.parent)
    return (
        f"{config.model.architecture}, LoRA rank {config.lora.rank}, micro-batches of {images} "
        f"images (of a batch of {config.batch_size}), {TEXT_TOKENS} text tokens; per process, "
        f"without FSDP\n\n{memory_table(config, shapes)}"
    )


def memory_table(config: FinetuneConfig, shapes: PretrainedConfig) -> str:
    """Return a Markdown table of parameters and GiB, per process, without FSDP.

    The rows are the configuration with trained and frozen embeddings, with frozen weights in its
    own type and in 4 bits, and with and without gradient checkpointing.
    """
    lines = [
        "| embeddings | frozen weights | gradient checkpointing | LoRA | other trained | frozen "
        "| weights GiB | trained GiB | activations GiB | total GiB |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    dtype = getattr(torch, config.model.dtype)
    for embeddings in ("trained", "frozen"):
        lora = config.lora.model_copy(update={"embeddings": embeddings})
        estimate = estimate_memory(config.model_copy(update={"lora": lora}), shapes)
        counts = [estimate.lora, estimate.other_trained, estimate.frozen]
        for four_bit in (False, True):
            for checkpointing in (True, False):
                sizes = [
                    estimate.weight_bytes(dtype, four_bit),
                    estimate.trained_bytes(),
                    estimate.activation_bytes(checkpointing),
                ]
                cells = [
                    embeddings,
                    "4 bits" if four_bit else config.model.dtype,
                    "yes" if checkpointing else "no",
                    *(f"{count / 1e6:.1f} M" for count in counts),
                    *(f"{size / 2**30:.1f}" for size in (*sizes, sum(sizes))),
                ]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
