"""One report over any number of prediction files on the same images.

    python -m elbow_core.evaluation.report A.csv [B.csv ...] --out DIR

Writes report.md, report.html (one page with embedded pictures), metrics.json and figures/.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from elbow_core.cli import run
from elbow_core.errors import PredictionsError
from elbow_core.evaluation import report
from elbow_core.evaluation.abstention import (
    AbstentionRecord,
    parse_abstention,
    read_abstention,
)
from elbow_core.evaluation.predictions import Predictions, read_predictions
from elbow_core.evaluation.report.inputs import ReportInputs, ReportSettings
from elbow_core.evaluation.statistics import DRAWS, check_thresholds
from elbow_core.files import read_json
from elbow_core.runs import RECORD, require_data


def main(arguments: Sequence[str]) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_core.evaluation.report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("predictions", nargs="+", type=Path, metavar="PREDICTIONS.csv")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--title", default="")
    parser.add_argument("--names", nargs="+", default=[], help="model names, one per file")
    parser.add_argument(
        "--validation",
        nargs="+",
        type=Path,
        default=[],
        metavar="CSV",
        help="validation predictions, one per file: operating points and temperature",
    )
    parser.add_argument(
        "--internal",
        nargs="+",
        type=Path,
        default=[],
        metavar="CSV",
        help="predictions of the models' own test sets, one per file, where the judged images are "
        "an external set: both stand side by side, with their differences",
    )
    parser.add_argument(
        "--external",
        nargs="+",
        type=Path,
        default=[],
        metavar="CSV",
        help="the other way round: predictions of an external set, one per file, where the judged "
        "images are the models' own test set",
    )
    parser.add_argument(
        "--model-json",
        nargs="+",
        type=Path,
        default=[],
        metavar="JSON",
        help="model.json of released models, one per file: their operating points",
    )
    parser.add_argument(
        "--abstain",
        nargs="+",
        type=Path,
        default=[],
        metavar="JSON",
        help="abstention.json of each model, one per file: images left to the reader; a model.json "
        "that has such thresholds needs none",
    )
    parser.add_argument(
        "--fused",
        nargs="+",
        default=[],
        metavar="NAME",
        help="models that combine the others; the mean of calibrated scores is of all but these",
    )
    parser.add_argument(
        "--manifest", type=Path, metavar="CSV", help="for subgroups and the flow of images"
    )
    parser.add_argument("--rejected", type=Path, metavar="CSV", help="for the flow of images")
    parser.add_argument(
        "--archive",
        type=Path,
        metavar="DIR",
        help="prepared folder, for the images of the worst errors",
    )
    parser.add_argument(
        "--maps",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="folders of heat maps, each of one of the models by its name, such as those of "
        "elbow_jax.explain; they need --archive",
    )
    parser.add_argument(
        "--localisation",
        type=Path,
        metavar="JSON",
        help="localisation.json of elbow_core.evaluation.localisation on these maps, for its table",
    )
    parser.add_argument(
        "--checklist", action="store_true", help="also write a checklist after TRIPOD+AI and CLAIM"
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="directory of the run, for the checklist"
    )
    parser.add_argument(
        "--evidence",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="further results of the same study, for the checklist: reports, runs of crossval, "
        "reports on readers or heat maps",
    )
    parser.add_argument("--draws", type=int, default=DRAWS, help="bootstrap draws")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for name in ("run", "evidence"):
        if getattr(options, name) and not options.checklist:
            parser.error(f"--{name}: is read for the checklist only; give --checklist too")
    if options.draws < 100:
        parser.error(f"--draws: {options.draws} is below 100")
    if options.seed < 0:
        parser.error(f"--seed: {options.seed} is below 0")
    if options.internal and options.external:
        parser.error("--external: is for own test sets, and --internal for external ones")
    for name in ("names", "validation", "internal", "external", "model_json", "abstain"):
        given = getattr(options, name)
        if given and len(given) != len(options.predictions):
            flag = f"--{name.replace('_', '-')}"
            parser.error(f"{flag}: {len(given)} given for {len(options.predictions)} files")
    predictions = [read_predictions(path) for path in options.predictions]
    validation = [read_predictions(path) for path in options.validation]
    internal = [read_predictions(path) for path in options.internal]
    external = [read_predictions(path) for path in options.external]
    released = [read_thresholds(path) for path in options.model_json]
    abstention = [
        *map(read_card_abstention, options.model_json),
        *[None] * (len(predictions) - len(options.model_json)),
    ]
    if options.abstain:
        abstention = [
            read_abstention_of(path, model)
            for path, model in zip(options.abstain, predictions, strict=True)
        ]
    if options.names:
        predictions, validation, internal, external = (
            [replace(model, model=name) for model, name in zip(found, options.names, strict=False)]
            for found in (predictions, validation, internal, external)
        )
    thresholds = {model.model: found for model, found in zip(predictions, released, strict=False)}
    if options.run and options.archive and (options.run / RECORD).exists():
        require_data(options.run, options.archive)
    inputs = ReportInputs(
        validation=validation,
        internal=internal,
        external=external,
        thresholds=thresholds or None,
        abstention={
            model.model: record
            for model, record in zip(predictions, abstention, strict=True)
            if record is not None
        },
        fused=options.fused,
        manifest=options.manifest,
        rejected=options.rejected,
        archive=options.archive,
        maps=options.maps,
        localisation=options.localisation,
        run=options.run,
        evidence=options.evidence,
    )
    settings = ReportSettings(
        title=options.title, checklist=options.checklist, draws=options.draws, seed=options.seed
    )
    # The attribute loads matplotlib, which --help does without.
    report.write_report(predictions, options.out, inputs, settings)
    for name in sorted(path.name for path in options.out.iterdir() if path.is_file()):
        print(options.out / name)
    return 0


def read_thresholds(path: Path) -> dict[str, float]:
    """Read the operating points of a model.json.

    Raises `PredictionsError` for a file without them: see `check_thresholds` and `read_json`.
    """
    try:
        card = read_json(path)
        return check_thresholds(card["thresholds"] if isinstance(card, dict) else card)
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError) as error:
        reason = "no `thresholds`" if isinstance(error, KeyError) else error
        raise PredictionsError(
            f"{path}: has no thresholds like those of a model.json: {reason}"
        ) from error


def read_card_abstention(path: Path) -> AbstentionRecord | None:
    """Read the thresholds of a model.json that leave images to the reader; None if it has none.

    Raises `PredictionsError` for those that are damaged.
    """
    try:
        card = read_json(path)
        found = card.get("abstention") if isinstance(card, dict) else None
        return None if found is None else parse_abstention(json.dumps(found).encode())
    except OSError as error:
        raise PredictionsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PredictionsError(f"{path}: abstention: {error}") from error


def read_abstention_of(path: Path, predictions: Predictions) -> AbstentionRecord:
    """Read an abstention.json; raises `UserError` for one of another model than the predictions."""
    record = read_abstention(path)
    if record.model != predictions.model:
        raise PredictionsError(
            f"{path}: was chosen for the model {record.model!r}, and {predictions.path} holds "
            f"{predictions.model!r}"
        )
    return record


if __name__ == "__main__":
    run(main)
