"""Assembles LLaVA-Rad's published parts into one checkpoint in transformers' format."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from torch import Tensor
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlavaForConditionalGeneration,
)

from elbow_core.errors import UserError, library_reason
from elbow_core.files import atomic_folder
from vlm_torch.models.llava_rad import IMAGE_TOKEN, make_config, make_processor
from vlm_torch.models.llava_rad_parts import (
    LORA,
    LORA_CONFIG,
    PROJECTOR,
    TOWER,
    merge_lora,
    read_language,
    read_lora,
    read_projector,
    read_tower,
)
from vlm_torch.models.loading import not_finite
from vlm_torch.models.local_files import from_folder, require_files, require_plain_folder


def assemble_llava_rad(
    parts: Path, out: Path, language: Path, *, init: str, projector: Path | None, dtype: str
) -> None:
    """Write a checkpoint; after an error nothing is written.

    Args:
        parts: folder of the published files.
        out: folder of the checkpoint; must be absent.
        language: folder of the language model.
        init: ``merged`` adds the published LoRA to the language model; the others do not.
        projector: file of a projector to use in place of the published one.
        dtype: type of the stored weights.

    Raises:
        UserError: a missing part, an unknown key, shapes that do not match, or a weight that is not
            finite.
    """
    tower_config, tower = read_tower(parts / TOWER)
    projector_weights = read_projector(projector or parts / PROJECTOR)
    require_plain_folder(language, "--language")
    require_files(
        language,
        ("config.json",),
        ("tokenizer_config.json",),
        ("tokenizer.json", "tokenizer.model"),
    )
    language_weights = read_language(language)
    if init == "merged":
        lora = read_lora(parts / LORA, parts / LORA_CONFIG)
        language_weights = merge_lora(language_weights, lora, parts / LORA)
    tokenizer, text_config, generation = _open_language(language)
    image_token = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name not in language_weights:
            raise UserError(f"{language}: {name}: is missing")
        language_weights[name] = _add_zero_rows(language_weights[name], len(tokenizer))
    text_config.vocab_size = len(tokenizer)
    state = {f"vision_tower.{name}": value for name, value in tower.items()}
    state |= {f"multi_modal_projector.{name}": value for name, value in projector_weights.items()}
    state |= {f"language_model.{name}": value for name, value in language_weights.items()}
    model = _load_strictly(make_config(tower_config, text_config, image_token), state, dtype)
    model.generation_config = generation
    with atomic_folder(out) as partial:
        model.save_pretrained(partial)
        make_processor(tokenizer, tower_config).save_pretrained(partial)
        record = json.dumps({"init": init, "dtype": dtype}, indent=2) + "\n"
        (partial / "assembly.json").write_text(record, encoding="utf-8")


def _open_language(folder: Path) -> tuple[Any, LlamaConfig, GenerationConfig]:
    """Open the language model's configuration and tokenizer; add the image token to the latter."""
    config, tokenizer = (
        from_folder(kind, folder, "cannot be opened as a language model")
        for kind in (LlamaConfig, AutoTokenizer)
    )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token
    tokenizer.add_tokens([AddedToken(IMAGE_TOKEN, normalized=False)], special_tokens=True)
    generation = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, config, generation


def _add_zero_rows(table: Tensor, rows: int) -> Tensor:
    """Pad a token table with zeros; image features replace the image token's embedding."""
    padding = table.new_zeros(max(0, rows - table.shape[0]), table.shape[1])
    return torch.cat([table, padding])


def _load_strictly(config: Any, state: dict[str, Tensor], dtype: str) -> Any:
    """Build the model.

    Raises `UserError` for a missing, unexpected or misshapen tensor, and for one that is not
    finite.
    """
    try:
        loaded: Any = LlavaForConditionalGeneration.from_pretrained(
            None,  # no folder and no name: nothing but what is given here can be read
            config=config,
            state_dict=state,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that loading_info lists them
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(f"the parts do not fit together: {library_reason(error)}") from error
    model, loading_info = loaded
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(map(str, loading_info[kind])):
            raise UserError(
                f"the parts do not fit together: {len(keys)} {kind.replace('_', ' ')}, first "
                f"{keys[0]}"
            )
    if name := not_finite(model.named_parameters()):
        raise UserError(f"the parts: {name} holds numbers that are not finite in {dtype}")
    return model
