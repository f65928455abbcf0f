"""Readers of LLaVA-Rad's published files; every key is used, or is on a list of ignored keys.

The readers return the key names of checkpoints on the hub, which transformers renames on loading.
"""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import Dinov2Config

from elbow_core.errors import UserError, library_reason
from vlm_torch.models.local_files import read_config, require_files

TOWER = "biomedclipcxr_518_checkpoint.pt"
PROJECTOR = "non_lora_trainables.bin"
LORA = "adapter_model.bin"
LORA_CONFIG = "adapter_config.json"

_TRUNK = "module.visual.trunk."
# The text half of the contrastive model from which the tower comes, and the tower's head.
_TOWER_IGNORED = ("module.text.", "module.visual.head.", "module.logit_scale", "module.logit_bias")
# A computed buffer, which old checkpoints store.
_LANGUAGE_IGNORED = re.compile(r".*\.rotary_emb\.inv_freq")
_TRUNK_NAMES = {
    r"cls_token": "embeddings.cls_token",
    r"pos_embed": "embeddings.position_embeddings",
    r"patch_embed\.proj\.(weight|bias)": r"embeddings.patch_embeddings.projection.\1",
    r"blocks\.(\d+)\.(norm[12]|mlp\.fc[12])\.(weight|bias)": r"encoder.layer.\1.\2.\3",
    r"blocks\.(\d+)\.attn\.proj\.(weight|bias)": r"encoder.layer.\1.attention.output.dense.\2",
    r"blocks\.(\d+)\.ls([12])\.gamma": r"encoder.layer.\1.layer_scale\2.lambda1",
    r"norm\.(weight|bias)": r"layernorm.\1",
}
_TRUNK_ATTENTION = re.compile(r"blocks\.(\d+)\.attn\.qkv\.(weight|bias)")
_PROJECTOR_NAMES = {
    r"(?:base_model\.model\.)?model\.mm_projector\.0\.(weight|bias)": r"linear_1.\1",
    r"(?:base_model\.model\.)?model\.mm_projector\.2\.(weight|bias)": r"linear_2.\1",
}
_LORA_KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
_HEAD_WIDTH = 64  # of an attention head, in every ViT-B


@dataclass(frozen=True)
class Lora:
    """Low-rank updates, scale * (up @ down), by the name of the weight that each changes."""

    scale: float
    pairs: dict[str, tuple[Tensor, Tensor]]


def read_tower(path: Path) -> tuple[Dinov2Config, dict[str, Tensor]]:
    """Read the image tower from an open_clip checkpoint: its configuration and its weights."""
    content = _load(path)
    state = content.get("state_dict", content)
    trunk = {}
    for key, value in state.items():
        if key.startswith(_TRUNK):
            trunk[key.removeprefix(_TRUNK)] = value
        elif not key.startswith(_TOWER_IGNORED):
            raise UserError(f"{path}: {key}: is not a known key of the tower")
    renamed = {}
    for key, value in trunk.items():
        if match := _TRUNK_ATTENTION.fullmatch(key):
            for name, part in zip(("query", "key", "value"), value.chunk(3), strict=True):
                hub_key = f"encoder.layer.{match[1]}.attention.attention.{name}.{match[2]}"
                renamed[hub_key] = part.contiguous()
        else:
            renamed[_rename(key, _TRUNK_NAMES, path)] = value
    return _infer_tower_config(trunk, path), renamed


def _infer_tower_config(trunk: Mapping[str, Tensor], path: Path) -> Dinov2Config:
    required = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight")
    for key in required:
        if key not in trunk:
            raise UserError(f"{path}: {_TRUNK}{key}: is missing")
    width = trunk["cls_token"].shape[-1]
    patch = trunk["patch_embed.proj.weight"].shape[-1]
    side = round((trunk["pos_embed"].shape[1] - 1) ** 0.5)
    return Dinov2Config(
        hidden_size=width,
        num_hidden_layers=len({key.split(".")[1] for key in trunk if key.startswith("blocks.")}),
        num_attention_heads=width // _HEAD_WIDTH,
        mlp_ratio=trunk["blocks.0.mlp.fc1.weight"].shape[0] // width,
        image_size=side * patch,
        patch_size=patch,
        use_mask_token=False,
    )


def read_projector(path: Path) -> dict[str, Tensor]:
    """Read a two-layer projector, as LLaVA saves it after pretraining or after tuning."""
    return {_rename(key, _PROJECTOR_NAMES, path): value for key, value in _load(path).items()}


def read_lora(weights: Path, settings: Path) -> Lora:
    """Read the language model's LoRA adapter; its keys must come in pairs."""
    require_files(settings.parent, (settings.name,))
    config = read_config(settings)
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if type(rank) is not int or rank < 1 or not isinstance(alpha, int | float):
        raise UserError(f"{settings}: is not an adapter configuration (r and lora_alpha)")
    for key in ("use_rslora", "use_dora", "fan_in_fan_out"):
        if config.get(key):
            raise UserError(f"{settings}: {key}: is on, which is not supported")
    halves: dict[str, dict[str, Tensor]] = {}
    for key, value in _load(weights).items():
        match = _LORA_KEY.fullmatch(key)
        if match is None:
            raise UserError(f"{weights}: {key}: is not a low-rank update")
        if value.shape[0 if match[2] == "A" else 1] != rank:
            raise UserError(f"{weights}: {key}: has shape {tuple(value.shape)}, not rank {rank}")
        halves.setdefault(f"{match[1]}.weight", {})[match[2]] = value
    for name, update in halves.items():
        if len(update) != 2:
            raise UserError(f"{weights}: {name}: one half of its update is missing")
    pairs = {name: (update["B"], update["A"]) for name, update in halves.items()}
    return Lora(alpha / rank, pairs)


def read_language(folder: Path) -> dict[str, Tensor]:
    """Read the language model's weights, from safetensors or PyTorch files."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not files:
        raise UserError(f"{folder}: holds no weights of the language model")
    state: dict[str, Tensor] = {}
    for file in files:
        state |= _load(file)
    return {key: value for key, value in state.items() if not _LANGUAGE_IGNORED.fullmatch(key)}


def merge_lora(language: dict[str, Tensor], lora: Lora, path: Path) -> dict[str, Tensor]:
    """Return the language model's weights with the updates added in float32."""
    merged = dict(language)
    for name, (up, down) in lora.pairs.items():
        if name not in language:
            raise UserError(f"{path}: {name}: is not a weight of the language model")
        update = lora.scale * (up.float() @ down.float())
        if update.shape != language[name].shape:
            raise UserError(
                f"{path}: {name}: has shape {tuple(update.shape)}, the language model's is "
                f"{tuple(language[name].shape)}"
            )
        merged[name] = (language[name].float() + update).to(language[name].dtype)
    return merged


def _rename(key: str, names: Mapping[str, str], path: Path) -> str:
    for pattern, name in names.items():
        if match := re.fullmatch(pattern, key):
            return match.expand(name)
    raise UserError(f"{path}: {key}: is not a known key")


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: is missing")
    content: Any
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError) as error:
        raise UserError(f"{path}: is not a file of weights ({library_reason(error)})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no dictionary of tensors")
    return content
