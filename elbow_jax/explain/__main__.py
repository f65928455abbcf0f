"""Heat maps of where a network sees injury: ``python -m elbow_jax.explain --model DIR IMAGE...``.

Or of a split of prepared data: ``--run DIR [--split test]``, or ``--model DIR --data PREPARED``.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elbow_core import cli, evaluation
from elbow_core.dataset import SPLITS, PreparedData, open_prepared
from elbow_core.errors import ConfigError, RadiographError, UserError
from elbow_core.files import require_utf8_name
from elbow_core.printable import escape, one_line
from elbow_core.progress import track
from elbow_core.radiographs import count_unread, describe_passed_over
from elbow_core.runs import require_data
from elbow_jax import explain, runtime, scoring, streaming, training

COMPLETE = 0.01  # of the difference of logits: beyond it, the integral was too coarse
MOST_STEPS = 4096
_MOST_LETTERS = 80  # of a network's name; that of a backbone may follow


@dataclass(frozen=True, slots=True)
class Settings:
    """What is made of each image, and where it goes."""

    out: Path
    methods: tuple[str, ...]
    batch_size: int
    random_weights: int | None
    """Seed of random weights in place of the model's; None: the model's."""
    with_pictures: bool
    steps: int
    """Points of the path of integrated gradients."""


def explain_source(
    model: Path, released: "scoring.ReleasedModel", source: "explain.Source", settings: Settings
) -> "explain.SetsWriter":
    """Explain the images of a source and write everything into ``settings.out``.

    Raises:
        UserError: if the network has no map to show, gives no finite logit, or the folder cannot be
            written.
    """
    card, variables = released.card, released.variables
    if settings.random_weights is not None:
        from elbow_jax import networks  # imports JAX, which --help does without

        module = networks.build(card.architecture, "float32")
        variables = networks.initialise(module, card.preprocessing.size, settings.random_weights)
    explainer = explain.Explainer(
        card, variables, settings.methods, settings.batch_size, settings.steps
    )
    weights = "trained" if settings.random_weights is None else "random"
    with explain.explained_folder(settings.out) as folder:
        writer = explain.SetsWriter(
            folder,
            card,
            settings.methods,
            _network_name(model),
            weights,
            settings.with_pictures,
            settings.steps,
        )
        found = explainer.explain(
            source.batches, lambda position: source.image_of(position).image_id
        )
        written = 0
        for image in track(found, source.total, "explain"):
            writer.add(image, source)
            written += 1
        if not written:
            raise UserError(f"{settings.out}: none of the {source.total} images could be read")
        writer.finish()
    return writer


def _network_name(model: Path) -> str:
    """Return the name of a model's run as a card may hold it."""
    name = evaluation.name_of_model(model, (training.MODEL,))
    return one_line(name).strip()[:_MOST_LETTERS] or "network"


def open_run(run: Path, prepared: Path | None) -> tuple[Path, PreparedData]:
    """Return the released model of a finished run, and its data.

    Raises:
        UserError: if the run is not finished, or its data are not there or have changed.
    """
    directory = training.RunDirectory(run)
    require_utf8_name(directory.path)
    data = training.open_data_of(directory, prepared)
    require_data(directory.path, data.directory)
    return directory.model, data


def check_data(model: Path, card: "scoring.ModelCard", data: PreparedData, split: str) -> None:
    """Raise `UserError` unless a model may be judged on a split: its preprocessing, unseen images.

    Training images may be explained, but not judged: `elbow_core.evaluation.localisation` refuses
    them.
    """
    if not len(data.positions(split)):
        known = ", ".join(name for name in SPLITS if len(data.positions(name)))
        raise ConfigError(f"{data.directory}: has no images in the split {split!r}, only {known}")
    evaluation.require_preprocessing(card.preprocessing.model_dump(mode="json"), data)
    if split != "train":
        scoring.refuse_learnt_images(model, card, data, (split,))


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    settings = Settings(
        options.out,
        tuple(dict.fromkeys(options.method)),
        options.batch_size,
        options.random_weights,
        not options.no_pictures,
        options.steps,
    )
    found = streaming.find_images(options.images)
    paths = [Path(path) for path in found.paths]
    _require_different(paths)
    if options.model is not None:
        require_utf8_name(options.model)
    explain.require_explained_folder(settings.out)
    runtime.set_up_process()
    runtime.open_devices()
    rejected: list[RadiographError] = []
    for line in describe_passed_over(found.passed_over):
        print(line, file=sys.stderr)
    if options.model is not None and paths:
        model, released = options.model, scoring.read_single(options.model)
        source = explain.read_images(
            paths, released.card.preprocessing, options.batch_size, rejected
        )
    else:
        model, released, source = _open_prepared_source(options)
    writer = explain_source(model, released, source, settings)
    for error in rejected:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
    if unread := count_unread(found.passed_over):
        print(f"error: {unread} entries passed over may be radiographs", file=sys.stderr)
    if (error := writer.incompleteness()) is not None:
        print(f"integrated gradients: their sums are off by at most {error:.2%} of what they share")
        if error > COMPLETE:
            print(f"integrated gradients: above {COMPLETE:.0%}; give more --steps", file=sys.stderr)
    print(f"heat maps: {settings.out}")
    return 2 if rejected or unread else 0


def _open_prepared_source(options: argparse.Namespace) -> tuple[Path, Any, Any]:
    """Return the model, as its folder and as read, and a split of prepared data as a source."""
    if options.run is not None:
        model, data = open_run(options.run, options.data)
    else:
        model, data = options.model, open_prepared(options.data)
    released = scoring.read_single(model)
    check_data(model, released.card, data, options.split)
    originals = None if options.root is None else explain.Originals(options.root)
    source = explain.archived_images(data, options.split, options.batch_size, originals)
    return model, released, source


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the command where options do not belong together."""
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    if not 1 <= options.steps <= MOST_STEPS:
        raise ConfigError(f"--steps: {options.steps} is not from 1 to {MOST_STEPS}")
    if options.random_weights is not None and not 0 <= options.random_weights < 2**32:
        raise ConfigError(f"--random-weights: {options.random_weights} is no seed from 0 to 2^32-1")
    if options.run is not None and options.images:
        parser.error("--run: explains its own data; give --model for images")
    if options.model is not None and bool(options.images) == (options.data is not None):
        parser.error("--model: give images, or prepared data with --data")
    if options.root is not None and options.images:
        parser.error("--root: is for prepared data; images are read where they are")


def _require_different(paths: Sequence[Path]) -> None:
    """Raise `ConfigError` for a file that is given twice: each map has the id of one image."""
    seen: set[str] = set()
    for path in paths:
        if (name := escape(str(path))) in seen:
            raise ConfigError(f"{path}: is given twice")
        seen.add(name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.explain",
        description="Write heat maps of where a network sees injury: numbers that "
        "elbow_core.evaluation.localisation judges, and pictures over the radiographs. A map shows "
        "what raises the score; it is no outline of an injury.",
    )
    explained = parser.add_mutually_exclusive_group(required=True)
    explained.add_argument("--model", type=Path, help="the `model` folder of a finished run")
    explained.add_argument("--run", type=Path, help="directory of a finished run")
    parser.add_argument(
        "images", nargs="*", help="with --model: files, folders, or lists of them: @FILE"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="prepared data: with --run, their place if they were moved; with --model, those to "
        "explain",
    )
    parser.add_argument("--split", default="test", choices=SPLITS, help="of prepared data")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    parser.add_argument(
        "--method",
        nargs="+",
        default=["grad_cam"],
        choices=explain.METHODS,
        help="one or more; grad_cam if none is given",
    )
    parser.add_argument(
        "--random-weights",
        type=int,
        metavar="SEED",
        help="a baseline: the same network with random weights in place of the model's",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="the folder that the data were prepared from, for pictures of the radiographs before "
        "preprocessing; without it they show the preprocessed ones",
    )
    parser.add_argument(
        "--no-pictures", action="store_true", help="write the numbers alone, not the pictures"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=explain.STEPS,
        metavar="N",
        help="points of the path of integrated gradients; each costs a forward and a backward pass",
    )
    parser.add_argument("--batch-size", type=int, default=8)
    return parser


if __name__ == "__main__":
    cli.run(main)
