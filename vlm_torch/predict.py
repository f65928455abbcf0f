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

from elbow_core import cli
from elbow_core.dataset import SPLITS
from elbow_core.errors import ConfigError
from elbow_core.evaluation import ALL, EXTERNAL_PREDICTIONS
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
        print(f"predictions: {report.parent / EXTERNAL_PREDICTIONS}")
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
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    if options.model is not None:
        if options.data is None or options.out is None:
            parser.error("--model: give --data and --out too")
        if options.merged:
            parser.error("--merged: is for --run; with --model give the folder `merged` itself")
        if not options.model.is_dir():
            raise ConfigError(f"{options.model}: is not a folder; give `adapter` or `merged`")
        return
    if any(given is not None for given in (options.out, options.internal, options.validation)):
        parser.error(
            "--out, --internal and --validation: are for --model; a run has its own places"
        )
    if options.split == ALL:
        parser.error("--split all: is for --model; a run has learnt from most of its data")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vlm_torch.predict",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument("--run", type=Path, help="directory of a finished run")
    judged.add_argument(
        "--model", type=Path, help="the folder `adapter` or `merged` of a finished run"
    )
    parser.add_argument(
        "--split", default="test", choices=(*SPLITS, ALL), help="default: %(default)s"
    )
    parser.add_argument(
        "--batch-size", type=int, default=8, help="images per batch; default: %(default)s"
    )
    parser.add_argument("--base", type=Path, help="folder of the base model, if it was moved")
    parser.add_argument(
        "--data",
        "--data.prepared",
        type=Path,
        metavar="DIR",
        help="the prepared data: with --run, their place if they were moved; with --model, those "
        "to judge it on",
    )
    parser.add_argument(
        "--merged", action="store_true", help="with --run: use its merged checkpoint"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="with --model: folder to write to")
    parser.add_argument(
        "--internal",
        type=Path,
        metavar="CSV",
        help="with --model: its predictions of its own test set, to stand beside these",
    )
    parser.add_argument(
        "--validation",
        type=Path,
        metavar="CSV",
        help="with --model: its predictions of its own validation set: operating points, "
        "temperature and the learnt join of studies",
    )
    return parser


if __name__ == "__main__":
    cli.run(main)
