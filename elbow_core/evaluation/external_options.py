"""The options of commands that judge a run on its own data, or a model on other prepared data."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core.dataset import SPLITS
from elbow_core.errors import ConfigError
from elbow_core.evaluation.predictions import ALL


def add_external_options(
    parser: argparse.ArgumentParser,
    *,
    model: str,
    batch_size: int,
    validation: str,
    data_names: Sequence[str] = ("--data",),
) -> None:
    """Add the options from ``--run`` and ``--model`` to ``--out``, which both frameworks share.

    Parsed, they are ``run``, ``model``, ``split``, ``batch_size``, ``data``, ``out``, ``internal``
    and ``validation``.

    Args:
        parser: of the command.
        model: what ``--model`` names, for its help.
        batch_size: the default number of images per batch.
        validation: what the predictions of ``--validation`` give, for its help.
        data_names: the names of ``--data``.
    """
    judged = parser.add_mutually_exclusive_group(required=True)
    judged.add_argument("--run", type=Path, help="directory of a finished run")
    judged.add_argument("--model", type=Path, help=model)
    parser.add_argument(
        "--split", default="test", choices=(*SPLITS, ALL), help="default: %(default)s"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=batch_size,
        help="images per batch; default: %(default)s",
    )
    parser.add_argument(
        *data_names,
        type=Path,
        metavar="DIR",
        help="the prepared data: with --run, their place if they were moved; with --model, those "
        "to judge it on",
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
        help=f"with --model: its predictions of its own validation set, for {validation}",
    )


def check_external_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the command where options of `add_external_options` do not belong together.

    Raises:
        ConfigError: for a batch without images.
        SystemExit: as `argparse.ArgumentParser.error` does, for the rest.
    """
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    if options.model is not None:
        if options.data is None or options.out is None:
            parser.error("--model: give --data and --out too")
        return
    if any(given is not None for given in (options.out, options.internal, options.validation)):
        parser.error(
            "--out, --internal and --validation: are for --model; a run has its own places"
        )
    if options.split == ALL:
        parser.error("--split all: is for --model; a run has learnt from most of its data")
