"""What a run would hold in memory, counted on shapes alone: no weights, no data, no accelerator.

The model is built on the meta device, and a batch's part passes through it as tensors without
storage, while what autograd would keep is added up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PretrainedConfig
from transformers.modeling_layers import GradientCheckpointingLayer

from vlm_torch.config import FinetuneConfig
from vlm_torch.lora.layers import add_lora, count_trained
from vlm_torch.models.families import FAMILIES

TEXT_TOKENS = 80
"""Of question and answer, beside the image's; the defaults have fewer."""
_TRAINED_BYTES = 16  # float32: the parameter, its gradient, and Adam's two moments
# NF4 in blocks of 64 with an 8-bit scale, of which 256 share a float32.
_FOUR_BIT_BYTES = 0.5 + (1 + 4 / 256) / 64


@dataclass(frozen=True)
class Holdings:
    """What one process holds that trains by itself: parameters in numbers, activations in bytes.

    ``quantisable`` of the ``frozen`` parameters may be kept in 4 bits. ``kept`` is what autograd
    keeps of one part of a batch; ``kept_with_checkpointing`` each block's input, and the inside of
    the largest block.
    """

    lora: int
    others_trained: int
    frozen: int
    quantisable: int
    kept: int
    kept_with_checkpointing: int

    def weights(self, dtype: torch.dtype, four_bit: bool) -> float | int:
        """Bytes of the frozen parameters."""
        quantised = self.quantisable if four_bit else 0
        return (self.frozen - quantised) * dtype.itemsize + quantised * _FOUR_BIT_BYTES

    def trained(self) -> int:
        """Bytes of what is trained, with its gradient and the optimiser's state."""
        return (self.lora + self.others_trained) * _TRAINED_BYTES


def count_holdings(config: FinetuneConfig, shapes: PretrainedConfig) -> Holdings:
    """Count what a run would hold whose base model has these shapes."""
    with torch.device("meta"):
        model: Any = FAMILIES[config.model.architecture].model._from_config(
            shapes,
            dtype=getattr(torch, config.model.dtype),
            attn_implementation=config.model.attention,
        )
        adapted = add_lora(model, config.lora)
    low_rank, whole = count_trained(adapted)
    frozen = {
        name: parameter.numel()
        for name, parameter in adapted.named_parameters()
        if not parameter.requires_grad and ".lora_" not in name
    }
    linear = [size for name, size in frozen.items() if name.endswith(".base_layer.weight")]
    kept = _pass_through(adapted, model, config)
    inside = kept.inside.values()
    return Holdings(
        lora=low_rank,
        others_trained=whole,
        frozen=sum(frozen.values()),
        quantisable=sum(linear),
        kept=kept.outside + sum(inside),
        kept_with_checkpointing=kept.outside + sum(kept.inputs.values()) + max(inside),
    )


def _pass_through(adapted: nn.Module, model: Any, config: FinetuneConfig) -> "Kept":
    """Send one part of a batch through the model as far as the loss, on shapes alone."""
    images = config.batch_size // config.accumulate
    vision = model.config.vision_config
    dtype = getattr(torch, config.model.dtype)
    mode = FakeTensorMode()
    kept = Kept(adapted)
    with mode:
        _give_storage_less_tensors(adapted)
    adapted.train()
    with mode, torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16), kept.watch():
        pixels = torch.zeros(images, vision.num_channels, vision.image_size, vision.image_size)
        features = model.get_image_features(pixels, return_dict=True).pooler_output
        length = len(features[0]) + TEXT_TOKENS
        ids = torch.zeros(images, length, dtype=torch.long)
        embedded = model.get_input_embeddings()(ids)
        # The image's features go where they stand; only the shape counts here.
        places = torch.zeros(images, length, 1, dtype=torch.bool)
        joined = torch.where(places, features[0].new_zeros(1), embedded)
        hidden = model.model.language_model(inputs_embeds=joined, use_cache=False)
        logits = model.lm_head(hidden.last_hidden_state)
        vocabulary = model.config.get_text_config().vocab_size
        model.loss_function(logits=logits, labels=ids, vocab_size=vocabulary)
    return kept


def _give_storage_less_tensors(model: nn.Module) -> None:
    """Put fake tensors of the CPU for the meta device's, which have no mixed precision."""
    made: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, old in module._parameters.items():
            if old is not None:
                if id(old) not in made:
                    new = torch.empty(old.shape, dtype=old.dtype)
                    made[id(old)] = nn.Parameter(new, requires_grad=old.requires_grad)
                module._parameters[name] = made[id(old)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)


class Kept:
    """Adds up what autograd keeps: inside each checkpointed block, its input, and elsewhere."""

    def __init__(self, model: nn.Module) -> None:
        self.outside = 0
        self.inside: dict[int, int] = {}
        self.inputs: dict[int, int] = {}
        self._model = model
        self._block: int | None = None

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Count while the context lasts; the model's own parameters are not counted."""
        seen = {parameter.untyped_storage()._cdata for parameter in self._model.parameters()}
        kept_alive = []  # a freed storage's address would be given out again

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in seen:
                seen.add(storage._cdata)
                kept_alive.append(tensor)
                if self._block is None:
                    self.outside += storage.nbytes()
                else:
                    self.inside[self._block] += storage.nbytes()
            return tensor

        blocks = [m for m in self._model.modules() if isinstance(m, GradientCheckpointingLayer)]
        hooks = []
        for number, block in enumerate(blocks):
            hooks.append(block.register_forward_pre_hook(self._enter(number)))
            hooks.append(block.register_forward_hook(self._leave))
        try:
            with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, number: int) -> Any:
        def enter(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._block = number
            self.inside[number] = 0
            self.inputs[number] = inputs[0].nbytes

        return enter

    def _leave(self, *_: Any) -> None:
        self._block = None


def memory_table(config: FinetuneConfig, shapes: PretrainedConfig) -> str:
    """Return a table in Markdown, in GiB of one process that trains by itself.

    Its rows are the configuration and what becomes of it with frozen embeddings, with frozen
    weights in 4 bits, and without gradient checkpointing.
    """
    lines = [
        "| embeddings | frozen weights | gradient checkpointing | LoRA | others trained | frozen "
        "| weights GiB | trained GiB | activations GiB | GiB in all |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    dtype = getattr(torch, config.model.dtype)
    for embeddings in ("trained", "frozen"):
        lora = config.lora.model_copy(update={"embeddings": embeddings})
        found = count_holdings(config.model_copy(update={"lora": lora}), shapes)
        numbers = [found.lora, found.others_trained, found.frozen]
        for four_bit in (False, True):
            for checkpointing in (True, False):
                kept = found.kept_with_checkpointing if checkpointing else found.kept
                held = [found.weights(dtype, four_bit), found.trained(), kept]
                cells = [
                    embeddings,
                    "4 bits" if four_bit else config.model.dtype,
                    "yes" if checkpointing else "no",
                    *(f"{number / 1e6:.1f} M" for number in numbers),
                    *(f"{size / 2**30:.1f}" for size in (*held, sum(held))),
                ]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
