"""Merge an adapter into its base model.

    python -m vlm_torch.merge --run DIR [--dtype float32]

Writes DIR/merged: an ordinary checkpoint that transformers opens without peft or this package.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from elbow_core import cli
from elbow_core.errors import ConfigError
from vlm_torch import startup
from vlm_torch.lora.adapter import CARD, load_adapter
from vlm_torch.lora.layers import without_deprecations
from vlm_torch.lora.tuned import ADAPTER, MERGED, TunedRun, configured_model, open_tuned
from vlm_torch.models.base import load_base

# Everything of the base model but its weights, whose names and shapes are written anew.
_KEPT = ("*.json", "*.jinja", "*.model", "*.txt")
_WRITTEN = ("config.json", "generation_config.json", "model.safetensors.index.json")
_DTYPES = ("float32", "bfloat16", "float16")


def merge(run: TunedRun, dtype: str) -> Path:
    """Write the merged checkpoint of a run, whole or not at all; return its folder.

    The sum is made in float32, whatever the base model and the result are in.

    Raises:
        ConfigError: it is there already, or the type does not fit the model.
    """
    out = run.path / MERGED
    if out.exists():
        raise ConfigError(f"{out}: is there already; delete it to merge again")
    if run.config.model.architecture == "medgemma" and dtype == "float16":
        raise ConfigError("--dtype: float16 overflows in Gemma 3; use bfloat16 or float32")
    plain = run.config.model.model_copy(update={"dtype": "float32", "four_bit": False})
    adapted = load_adapter(load_base(run.base, plain), run.path / ADAPTER)
    with without_deprecations():
        merged = adapted.merge_and_unload(safe_merge=True)
    merged = merged.to(getattr(torch, dtype))
    making = out.with_name(f".{MERGED}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    for pattern in _KEPT:
        for file in run.base.path.glob(pattern):
            if file.name not in _WRITTEN:
                shutil.copyfile(file, making / file.name)
    merged.save_pretrained(making)
    shutil.copyfile(run.path / ADAPTER / CARD, making / CARD)
    making.replace(out)
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.merge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", type=Path, required=True, help="directory of a finished run")
    parser.add_argument("--base", type=Path, help="where the base model lies, if it was moved")
    parser.add_argument("--dtype", choices=_DTYPES, help="of the result; default: the run's")
    options = parser.parse_args(arguments)
    startup.begin(configured_model(options.run))
    run = open_tuned(options.run, options.base)
    print(f"merged: {merge(run, options.dtype or run.config.model.dtype)}")
    return 0


if __name__ == "__main__":
    cli.run(main)
