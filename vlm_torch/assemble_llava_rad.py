"""Assemble LLaVA-Rad's published parts into one checkpoint in transformers' format.

    python -m vlm_torch.assemble_llava_rad --parts DIR --out DIR [--init NAME] [--dtype NAME]

--parts DIR holds biomedclipcxr_518_checkpoint.pt, non_lora_trainables.bin, adapter_model.bin and
adapter_config.json of microsoft/llava-rad, and a folder vicuna-7b-v1.5 (or --language DIR) with
lmsys/vicuna-7b-v1.5. The licence of the parts is research-only: accept it before you download them,
and do not redistribute the result.

--init selects the initial weights for fine-tuning:
  released_projector  the published projector and the untouched language model (the default)
  merged              the final model, its LoRA merged into the language model
  projector           your own projector, --projector FILE, and the untouched language model. The
                      paper used the projector of the pretraining step, which was never published
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import ConfigError
from elbow_core.files import locked_output, require_writable
from vlm_torch import models, startup

LANGUAGE = "vicuna-7b-v1.5"
_INITS = ("released_projector", "merged", "projector")
_DTYPES = ("bfloat16", "float16", "float32")


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.assemble_llava_rad",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--parts", type=Path, required=True, metavar="DIR", help="folder of the published parts"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new folder for the checkpoint"
    )
    parser.add_argument(
        "--language",
        type=Path,
        metavar="DIR",
        help=f"folder of the language model; default: {LANGUAGE} in the folder of the parts",
    )
    parser.add_argument(
        "--init", choices=_INITS, default=_INITS[0], help="initial weights; default: %(default)s"
    )
    parser.add_argument(
        "--projector", type=Path, metavar="FILE", help="required by --init projector"
    )
    parser.add_argument(
        "--dtype",
        choices=_DTYPES,
        default=_DTYPES[0],
        help="type of the stored weights; default: %(default)s",
    )
    options = parser.parse_args(arguments)
    require_writable(options.out)
    if options.init == "projector" and options.projector is None:
        raise ConfigError("--init projector: give the file, --projector FILE")
    if options.init != "projector" and options.projector is not None:
        raise ConfigError(f"--projector: needs --init projector, not --init {options.init}")
    with locked_output(options.out):
        if options.out.exists():
            raise ConfigError(f"{options.out}: already exists; give another --out")
        startup.begin()
        models.assemble_llava_rad(
            options.parts,
            options.out,
            options.language or options.parts / LANGUAGE,
            init=options.init,
            projector=options.projector,
            dtype=options.dtype,
        )
    print(f"checkpoint: {options.out}")
    return 0


if __name__ == "__main__":
    cli.run(main)
