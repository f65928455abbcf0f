"""Predict every image of a split with a finished run.

    python -m vlm_torch.predict --run DIR --split test

Writes DIR/predictions_<split>.csv; after a kill, the same command resumes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.dataset import SPLITS
from elbow_core.errors import ConfigError
from elbow_core.runs import add_data_option
from vlm_torch import lora, scoring, startup
from vlm_torch.config import read_run_config


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", type=Path, required=True, help="directory of a finished run")
    parser.add_argument("--split", default="test", choices=SPLITS, help="default: %(default)s")
    parser.add_argument(
        "--batch-size", type=int, default=8, help="images per batch; default: %(default)s"
    )
    parser.add_argument("--base", type=Path, help="folder of the base model, if it was moved")
    add_data_option(parser)
    parser.add_argument(
        "--merged", action="store_true", help="use the merged checkpoint of the run"
    )
    options = parser.parse_args(arguments)
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    startup.begin(read_run_config(options.run).model)
    if options.merged:
        run = lora.open_merged_run(options.run)
    else:
        run = lora.open_finetuned_run(options.run, options.base)
    path = scoring.predict(run, options.split, options.batch_size, options.data)
    print(f"predictions: {path}")
    return 0


if __name__ == "__main__":
    cli.run(main)
