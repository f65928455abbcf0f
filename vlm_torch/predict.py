"""Predict every image of a split with a finished run.

    python -m vlm_torch.predict --run DIR --split test
    python -m vlm_torch.predict --model DIR/adapter --data PREPARED --split all --out DIR

With --run it writes DIR/predictions_<split>.csv. With --model it judges the adapter, or a merged
checkpoint, on prepared data that are not its own and writes predictions.csv and report/; images and
patients that it learnt from are refused. After a kill, the same command resumes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli, evaluation
from elbow_core.errors import ConfigError
from vlm_torch import lora, scoring, startup
from vlm_torch.config import read_run_config


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    if options.model is not None:
        startup.begin()
        opened = lora.open_finetuned_model(options.model, options.base)
        startup.begin(opened.card.model)
        report = scoring.predict_external(
            opened,
            options.data,
            options.out,
            options.split,
            options.batch_size,
            options.internal,
            options.validation,
        )
        print(f"predictions: {report.parent / evaluation.EXTERNAL_PREDICTIONS}")
        print(f"report: {report}")
        return 0
    startup.begin(read_run_config(options.run).model)
    if options.merged:
        run = lora.open_merged_run(options.run)
    else:
        run = lora.open_finetuned_run(options.run, options.base)
    path = scoring.predict(run, options.split, options.batch_size, options.data)
    print(f"predictions: {path}")
    return 0


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the command where options do not belong together."""
    evaluation.check_external_options(parser, options)
    if options.model is None:
        return
    if options.merged:
        parser.error("--merged: is for --run; with --model give the folder `merged` itself")
    if not options.model.is_dir():
        raise ConfigError(f"{options.model}: is not a folder; give `adapter` or `merged`")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluation.add_external_options(
        parser,
        model="the folder `adapter` or `merged` of a finished run",
        batch_size=8,
        validation="operating points, the temperature and the learnt join of studies",
        data_names=("--data", "--data.prepared"),
    )
    parser.add_argument("--base", type=Path, help="folder of the base model, if it was moved")
    parser.add_argument(
        "--merged", action="store_true", help="with --run: use its merged checkpoint"
    )
    return parser


if __name__ == "__main__":
    cli.run(main)
