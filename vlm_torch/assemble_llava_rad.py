"""LLaVA-Rad as one checkpoint in transformers' format, assembled from its published parts.

    python -m vlm_torch.assemble_llava_rad --parts DIR --out DIR [--init NAME]

DIR of the parts holds biomedclipcxr_518_checkpoint.pt, non_lora_trainables.bin, adapter_model.bin
and adapter_config.json of microsoft/llava-rad, and a folder vicuna-7b-v1.5 (or --language) of
lmsys/vicuna-7b-v1.5. The licence of the parts is research-only: accept it before you download them,
and do not pass the result on.

--init says where tuning begins:
  merged              the final model, its LoRA added to the language model
  released_projector  the published projector before the untouched language model (the default)
  projector           a projector of your own, --projector FILE: the report began from that of the
                      pretraining step, which was never published
"""

import argparse
import json
import shutil
from collections.abc import Sequence
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

from elbow_core import cli
from elbow_core.errors import ConfigError, UserError
from vlm_torch import startup
from vlm_torch.models.llava_rad import IMAGE_TOKEN, join_configs, make_processor
from vlm_torch.models.llava_rad_parts import (
    LORA,
    LORA_CONFIG,
    PROJECTOR,
    TOWER,
    add_lora_to,
    read_language,
    read_lora,
    read_projector,
    read_tower,
)

LANGUAGE = "vicuna-7b-v1.5"
STARTS = ("released_projector", "merged", "projector")
_DTYPES = ("bfloat16", "float16", "float32")


def assemble(
    parts: Path, out: Path, language: Path, init: str, projector: Path | None, dtype: str
) -> None:
    """Write the checkpoint, whole or not at all.

    Raises:
        UserError: a part that is missing, a key that is not known, or shapes that do not fit.
    """
    if out.exists():
        raise ConfigError(f"{out}: is there already; give another --out")
    if (init == "projector") != (projector is not None):
        raise ConfigError("--projector: FILE goes with --init projector, and with nothing else")
    tower_config, tower = read_tower(parts / TOWER)
    projected = read_projector(projector or parts / PROJECTOR)
    weights = read_language(language)
    if init == "merged":
        lora = read_lora(parts / LORA, parts / LORA_CONFIG)
        weights = add_lora_to(weights, lora, parts / LORA)
    tokenizer, text_config, generation = _open_language(language)
    image_token = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name not in weights:
            raise UserError(f"{language}: {name}: is missing")
        weights[name] = _add_rows(weights[name], len(tokenizer))
    text_config.vocab_size = len(tokenizer)
    state = {f"vision_tower.{name}": value for name, value in tower.items()}
    state |= {f"multi_modal_projector.{name}": value for name, value in projected.items()}
    state |= {f"language_model.{name}": value for name, value in weights.items()}
    model = _load_strictly(join_configs(tower_config, text_config, image_token), state, dtype)
    model.generation_config = generation
    making = out.with_name(f".{out.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    model.save_pretrained(making)
    make_processor(tokenizer, tower_config).save_pretrained(making)
    note = json.dumps({"init": init, "dtype": dtype}, indent=2) + "\n"
    (making / "assembly.json").write_text(note, encoding="utf-8")
    making.replace(out)


def _open_language(folder: Path) -> tuple[Any, LlamaConfig, GenerationConfig]:
    """Open the language model's tokenizer, with a token for the image, and its configuration."""
    try:
        config = LlamaConfig.from_pretrained(folder, local_files_only=True)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{folder}: cannot be opened as a language model: {reason}") from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token
    tokenizer.add_tokens([AddedToken(IMAGE_TOKEN, normalized=False)], special_tokens=True)
    generation = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, config, generation


def _add_rows(table: Tensor, rows: int) -> Tensor:
    """Lengthen a table of tokens by zeros; features take the place of the image's token."""
    new = table.new_zeros(max(0, rows - table.shape[0]), table.shape[1])
    return torch.cat([table, new])


def _load_strictly(config: Any, state: dict[str, Tensor], dtype: str) -> Any:
    """Give every tensor its place; raises `UserError` where one is missing or left over."""
    try:
        loaded: Any = LlavaForConditionalGeneration.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that the report names them
        )
    except (ValueError, RuntimeError) as error:
        raise UserError(f"the parts do not fit together: {str(error).splitlines()[0]}") from error
    model, report = loaded
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if wrong := sorted(map(str, report[kind])):
            raise UserError(
                f"the parts do not fit together: {len(wrong)} {kind.replace('_', ' ')}, first "
                f"{wrong[0]}"
            )
    return model


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.assemble_llava_rad",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--language", type=Path, metavar="DIR", help=f"default: DIR/{LANGUAGE}")
    parser.add_argument("--init", choices=STARTS, default=STARTS[0])
    parser.add_argument("--projector", type=Path, metavar="FILE")
    parser.add_argument("--dtype", choices=_DTYPES, default=_DTYPES[0])
    options = parser.parse_args(arguments)
    startup.begin()
    language = options.language or options.parts / LANGUAGE
    assemble(options.parts, options.out, language, options.init, options.projector, options.dtype)
    print(f"checkpoint: {options.out}")
    return 0


if __name__ == "__main__":
    cli.run(main)
