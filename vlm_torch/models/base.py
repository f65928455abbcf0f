"""The model that is tuned: found on the hub, in a folder or built, then loaded and recognised."""

import hashlib
import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoProcessor,
    BitsAndBytesConfig,
    GenerationConfig,
    PretrainedConfig,
)

from elbow_core.errors import ConfigError
from vlm_torch.config import FolderBase, HubBase, ModelSection, PromptSection, TinyBase
from vlm_torch.data import Normalisation
from vlm_torch.models.families import FAMILIES
from vlm_torch.models.hub import download
from vlm_torch.tokens import PromptTokens, tokenise

_SAMPLED_BYTES = 1 << 16


@dataclass(frozen=True)
class BaseFolder:
    """A checkpoint on this machine, and what tells it from another one.

    ``origin`` is how the configuration names it; ``revision`` the hub's commit, or empty.
    """

    path: Path
    origin: str
    revision: str
    fingerprint: str


def find_base(model: ModelSection, beside: Path) -> BaseFolder:
    """Return the checkpoint that a configuration names, downloaded or built if need be.

    Args:
        model: names it.
        beside: the folder of the runs, in which a tiny one is built.

    Raises:
        ConfigError: no such folder, or not a checkpoint of this architecture.
        UserError: the hub cannot give it; the message says what to accept or to fetch.
    """
    family = FAMILIES[model.architecture]
    revision = ""
    if isinstance(model.base, HubBase):
        origin = model.base.id
        path, revision = download(model.base.id, model.base.revision, family.licence)
    elif isinstance(model.base, FolderBase):
        path, origin = model.base.path, str(model.base.path)
    else:
        size, seed = model.base.image_size, model.base.seed
        origin = f"tiny_{model.architecture}_base_{size}_{seed}"
        path = beside / origin
        if not path.is_dir():
            making = path.with_name(f".{path.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            family.write_tiny(making, size, seed)
            making.replace(path)
    found = _model_type(path)
    if found != family.model_type:
        raise ConfigError(
            f"{path}: holds a model of type {found!r}; model.architecture {model.architecture} "
            f"needs {family.model_type!r}"
        )
    return BaseFolder(path, origin, revision, _fingerprint(path))


def real_shapes(model: ModelSection, beside: Path) -> PretrainedConfig:
    """Return the shapes of a base model, for counting: those on this machine, or the published."""
    if isinstance(model.base, TinyBase) or (
        isinstance(model.base, FolderBase) and model.base.path.is_dir()
    ):
        return AutoConfig.from_pretrained(find_base(model, beside).path, local_files_only=True)
    return FAMILIES[model.architecture].published_config()


def _model_type(path: Path) -> str:
    file = path / "config.json"
    if not path.is_dir():
        raise ConfigError(f"model.base.path: {path}: no such folder")
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file}: is not the configuration of a checkpoint in transformers' format "
            f"({type(error).__name__})"
        ) from error


def _fingerprint(path: Path) -> str:
    """Return a SHA-256 over the configuration and, of each file of weights, header and samples.

    Reading all of a real checkpoint would take a minute at every start.
    """
    digest = hashlib.sha256()
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise ConfigError(f"{path}: holds no weights (*.safetensors)")
    settings = json.loads((path / "config.json").read_text(encoding="utf-8"))
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for file in weights:
        size = file.stat().st_size
        with file.open("rb") as opened:
            header = int.from_bytes(opened.read(8), "little")
            digest.update(f"{file.name} {size}".encode())
            digest.update(opened.read(min(header, size)))
            for sample in range(8):
                opened.seek(max(0, (size - _SAMPLED_BYTES) * sample // 7))
                digest.update(opened.read(_SAMPLED_BYTES))
    return digest.hexdigest()


@dataclass(frozen=True)
class Reading:
    """How a checkpoint wants text and images, without its weights."""

    tokens: PromptTokens
    normalise: Normalisation
    image_size: int
    processor: Any


def read_processor(base: BaseFolder, model: ModelSection, prompt: PromptSection) -> Reading:
    """Open a checkpoint's processor and tokenise the prompt with it.

    Raises:
        ConfigError: files that are missing or do not belong together, or a prompt that does not
            fit.
    """
    family = FAMILIES[model.architecture]
    try:
        config = AutoConfig.from_pretrained(base.path, local_files_only=True)
        processor = AutoProcessor.from_pretrained(base.path, local_files_only=True)
        generation = GenerationConfig.from_pretrained(base.path, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{base.path}: cannot be opened as a checkpoint: {reason}") from error
    ends = generation.eos_token_id
    images: Any = processor.image_processor
    tokens = tokenise(
        processor,
        family.dialogue,
        prompt,
        stop=tuple(ends) if isinstance(ends, list) else (ends,),
        context=config.get_text_config().max_position_embeddings,
        image=config.image_token_id,
        image_tokens=family.image_tokens(config),
        marks_image=family.marks_image,
    )
    return Reading(
        tokens=tokens,
        normalise=Normalisation(tuple(images.image_mean), tuple(images.image_std)),
        image_size=config.vision_config.image_size,
        processor=processor,
    )


def load_base(base: BaseFolder, model: ModelSection) -> Any:
    """Load the weights, every one of them, in the type that the configuration asks for.

    Raises:
        ConfigError: weights that are missing, left over or of another shape, or 4 bits asked for
            where they cannot be had.
    """
    quantisation = _four_bits(model) if model.four_bit else None
    try:
        loaded, report = FAMILIES[model.architecture].model.from_pretrained(
            base.path,
            dtype=getattr(torch, model.dtype),
            attn_implementation=model.attention,
            quantization_config=quantisation,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{base.path}: its weights cannot be loaded: {reason}") from error
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if wrong := sorted(map(str, report[kind])):
            raise ConfigError(
                f"{base.path}: {len(wrong)} {kind.replace('_', ' ')}, first {wrong[0]}; "
                "the weights are not those of its config.json"
            )
    return loaded


def _four_bits(model: ModelSection) -> BitsAndBytesConfig:
    """Return NF4 with double quantisation, as QLoRA has it.

    Reference: Dettmers et al., "QLoRA: efficient finetuning of quantized LLMs", NeurIPS 2023.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigError(
            "model.four_bit: needs bitsandbytes; install it with `pip install -e '.[vlm,qlora]'`"
        )
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, model.dtype),
    )
