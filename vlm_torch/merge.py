"""Merge a run's adapter into its base model.

    python -m vlm_torch.merge --run DIR [--dtype float32]

Writes DIR/merged: an ordinary checkpoint that transformers opens without peft or this package.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import ConfigError
from elbow_core.runs import lock_run
from vlm_torch import lora, startup
from vlm_torch.config import MERGED, read_run_config

_DTYPES = ("float32", "bfloat16", "float16")


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.merge",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", type=Path, required=True, help="directory of a finished run")
    parser.add_argument("--base", type=Path, help="folder of the base model, if it was moved")
    parser.add_argument("--dtype", choices=_DTYPES, help="type of the result; default: the run's")
    options = parser.parse_args(arguments)
    model = read_run_config(options.run).model
    dtype = options.dtype or model.dtype
    out = options.run / MERGED
    if model.architecture == "medgemma" and dtype == "float16":
        raise ConfigError("--dtype: float16 overflows in Gemma 3; use bfloat16 or float32")
    with lock_run(options.run):
        if out.exists():
            raise ConfigError(f"{out}: already exists; delete it to merge again")
        startup.begin(model)
        lora.merge(lora.open_finetuned_run(options.run, options.base), out, dtype)
    print(f"merged: {out}")
    return 0


if __name__ == "__main__":
    cli.run(main)
