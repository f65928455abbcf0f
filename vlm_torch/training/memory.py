"""Estimates the memory of a run from shapes alone: no weights, no data, no accelerator.

The model is built on the meta device, and a micro-batch passes through it as tensors without
storage, while the bytes that autograd saves are added up.
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
from vlm_torch.lora import add_lora, count_trainable
from vlm_torch.models import FAMILIES

TEXT_TOKENS = 80
"""Tokens of question and answer, without the image's; the default prompt has fewer."""
_BYTES_PER_TRAINED_PARAMETER = 16  # float32: the parameter, its gradient, and Adam's two moments
# NF4 in blocks of 64 with an 8-bit scale, of which 256 share a float32.
_BYTES_PER_FOUR_BIT_PARAMETER = 0.5 + (1 + 4 / 256) / 64


@dataclass(frozen=True)
class MemoryEstimate:
    """Parameter counts and activation bytes of one process, without FSDP.

    ``quantisable`` of the ``frozen`` parameters may be stored in 4 bits. ``activations`` are the
    bytes that autograd saves for one micro-batch; ``checkpointed_activations`` those with gradient
    checkpointing: each block's input, and the inside of the largest block.
    """

    lora: int
    other_trained: int
    frozen: int
    quantisable: int
    activations: int
    checkpointed_activations: int

    def weight_bytes(self, dtype: torch.dtype, four_bit: bool) -> float | int:
        """Bytes of the frozen parameters."""
        quantised = self.quantisable if four_bit else 0
        unquantised_bytes = (self.frozen - quantised) * dtype.itemsize
        return unquantised_bytes + quantised * _BYTES_PER_FOUR_BIT_PARAMETER

    def trained_bytes(self) -> int:
        """Bytes of the trained parameters, their gradients and the optimiser state."""
        return (self.lora + self.other_trained) * _BYTES_PER_TRAINED_PARAMETER

    def activation_bytes(self, checkpointing: bool) -> int:
        """Bytes that autograd saves, with or without gradient checkpointing."""
        return self.checkpointed_activations if checkpointing else self.activations


def estimate_memory(config: FinetuneConfig, shapes: PretrainedConfig) -> MemoryEstimate:
    """Estimate the memory of a run whose base model has these shapes."""
    with torch.device("meta"):
        model: Any = FAMILIES[config.model.architecture].model._from_config(
            shapes,
            dtype=getattr(torch, config.model.dtype),
            attn_implementation=config.model.attention,
        )
        adapted = add_lora(model, config.lora)
    low_rank, other = count_trainable(adapted)
    frozen = {
        name: parameter.numel()
        for name, parameter in adapted.named_parameters()
        if not parameter.requires_grad and ".lora_" not in name
    }
    linear = [size for name, size in frozen.items() if name.endswith(".base_layer.weight")]
    saved = _count_saved_bytes(adapted, model, config)
    blocks = saved.block_bytes.values()
    block_inputs = saved.block_input_bytes.values()
    return MemoryEstimate(
        lora=low_rank,
        other_trained=other,
        frozen=sum(frozen.values()),
        quantisable=sum(linear),
        activations=saved.other_bytes + sum(blocks),
        checkpointed_activations=saved.other_bytes + sum(block_inputs) + max(blocks),
    )


def _count_saved_bytes(
    adapted: nn.Module, model: Any, config: FinetuneConfig
) -> "SavedTensorCounter":
    """Pass one micro-batch through the model and its loss, on shapes alone."""
    images = config.batch_size // config.accumulate
    vision = model.config.vision_config
    dtype = getattr(torch, config.model.dtype)
    mode = FakeTensorMode()
    counter = SavedTensorCounter(adapted)
    with mode:
        _move_to_fake_cpu(adapted)
    adapted.train()
    with mode, torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16), counter.count():
        pixels = torch.zeros(images, vision.num_channels, vision.image_size, vision.image_size)
        features = model.get_image_features(pixels, return_dict=True).pooler_output
        length = len(features[0]) + TEXT_TOKENS
        ids = torch.zeros(images, length, dtype=torch.long)
        embedded = model.get_input_embeddings()(ids)
        # The model would put the image features at their positions; only the shape matters here.
        image_mask = torch.zeros(images, length, 1, dtype=torch.bool)
        joined = torch.where(image_mask, features[0].new_zeros(1), embedded)
        hidden = model.model.language_model(inputs_embeds=joined, use_cache=False)
        logits = model.lm_head(hidden.last_hidden_state)
        vocabulary = model.config.get_text_config().vocab_size
        model.loss_function(logits=logits, labels=ids, vocab_size=vocabulary)
    return counter


def _move_to_fake_cpu(model: nn.Module) -> None:
    """Replace tensors on the meta device, which has no autocast, by fake tensors on the CPU."""
    replaced: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, old in module._parameters.items():
            if old is not None:
                if id(old) not in replaced:
                    new = torch.empty(old.shape, dtype=old.dtype)
                    replaced[id(old)] = nn.Parameter(new, requires_grad=old.requires_grad)
                module._parameters[name] = replaced[id(old)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)


class SavedTensorCounter:
    """Adds up the bytes that autograd saves: in each block, of each block's input, and elsewhere.

    A block is a layer that gradient checkpointing may recompute.
    """

    def __init__(self, model: nn.Module) -> None:
        self.other_bytes = 0
        self.block_bytes: dict[int, int] = {}
        self.block_input_bytes: dict[int, int] = {}
        self._model = model
        self._block: int | None = None

    @contextmanager
    def count(self) -> Iterator[None]:
        """Count until the context ends; the model's own parameters are not counted."""
        seen = {parameter.untyped_storage()._cdata for parameter in self._model.parameters()}
        kept_alive = []  # the address of a freed storage would be reused

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in seen:
                seen.add(storage._cdata)
                kept_alive.append(tensor)
                if self._block is None:
                    self.other_bytes += storage.nbytes()
                else:
                    self.block_bytes[self._block] += storage.nbytes()
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
            self.block_bytes[number] = 0
            self.block_input_bytes[number] = inputs[0].nbytes

        return enter

    def _leave(self, *_: Any) -> None:
        self._block = None
