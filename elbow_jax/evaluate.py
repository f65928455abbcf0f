"""Score a split with a trained run: ``python -m elbow_jax.evaluate --run DIR --split test``.

Or other data with a released model: ``--model DIR --data PREPARED --out DIR [--split all]``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli, evaluation
from elbow_core.errors import ConfigError
from elbow_core.evaluation.heat_maps import open_maps
from elbow_core.files import require_utf8_name
from elbow_core.runs import lock_run, require_data
from elbow_jax import runtime, scoring, training
from elbow_jax.external import evaluate_model


def evaluate(
    directory: Path,
    split: str,
    batch_size: int,
    prepared: Path | None = None,
    maps: Sequence[Path] = (),
) -> Path:
    """Write the predictions and the report of a finished run; return the report's directory.

    The caller holds the lock of the run: see `lock_run`.

    Operating points, and thresholds that leave images of the test set to the reader, are those of
    the released model; calibration is fitted on the validation set,
    whose predictions are written too.

    Args:
        directory: of the run.
        split: of its data.
        batch_size: images that pass through the network at once.
        prepared: the place of the run's data, if they were moved.
        maps: folders of heat maps of the run's network, for the report.

    Raises:
        UserError: if the run is not finished, its directory cannot be written, or its data are not
            there, were prepared with other settings than the model's, have changed, or hold images
            in the split that the model learnt from.
    """
    run = training.RunDirectory(directory)
    require_utf8_name(run.path)
    parts = dict.fromkeys(("validation", split))
    tables = {part: run.path / f"predictions_{part}.csv" for part in parts}
    report = run.path / f"report_{split}"
    for table in tables.values():
        evaluation.require_predictions_file(table)
    evaluation.require_report_folder(report)
    for given in maps:
        open_maps(given)  # before the work
    data = training.open_data_of(run, prepared)
    released = scoring.read_released(run.model)
    settings = released.card.preprocessing.model_dump(mode="json")
    if settings != data.archive.settings:
        raise ConfigError(
            f"{data.directory}: prepared with {data.archive.settings}, the model needs {settings}"
        )
    require_data(run.path, data.directory)
    scoring.refuse_learnt_images(
        run.model, released.card, data, parts, otherwise="only the fingerprint of the run's data"
    )
    predictor, name = scoring.Predictor(released, batch_size), run.path.name
    predictions = {}
    for part, table in tables.items():
        predictions[part] = scoring.predict_split(predictor, data, part, name)
        evaluation.write_predictions(table, predictions[part])
    frozen = released.card.abstention
    evaluation.write_report(
        [predictions[split]],
        report,
        evaluation.ReportInputs(
            validation=[] if split == "validation" else [predictions["validation"]],
            thresholds={name: released.card.thresholds},
            # On the images that they were chosen or trained on, shares are no test of a promise.
            abstention={name: frozen} if frozen is not None and split == "test" else None,
            manifest=data.directory / "manifest.csv",
            rejected=data.directory / "rejected.csv",
            archive=data.directory,
            maps=maps,
            run=run.path,
        ),
        evaluation.ReportSettings(title=f"{name} on {split}", checklist=True),
    )
    return report


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    runtime.set_up_process()
    runtime.open_devices()
    if options.model is not None:
        report = evaluate_model(
            options.model,
            options.data,
            options.out,
            options.split,
            options.batch_size,
            options.internal,
            options.validation,
        )
        print(f"predictions: {report.parent / evaluation.EXTERNAL_PREDICTIONS}")
    else:
        with lock_run(options.run):
            report = evaluate(
                options.run, options.split, options.batch_size, options.data, options.maps
            )
        print(f"predictions: {report.parent / f'predictions_{options.split}.csv'}")
    print(f"report: {report}")
    return 0


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End the command where options do not belong together."""
    evaluation.check_external_options(parser, options)
    if options.model is not None and options.maps:
        parser.error("--maps: is for --run; elbow_core.evaluation.report takes any model's")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.evaluate",
        description="Score a split of a finished run's data, or other prepared data with a "
        "released model. Operating points stay those of the model; images and patients that it "
        "learnt from are refused.",
    )
    evaluation.add_external_options(
        parser,
        model="the `model` folder of a finished run",
        batch_size=32,
        validation="the temperature and the learnt join of studies",
    )
    parser.add_argument(
        "--maps",
        nargs="+",
        type=Path,
        default=[],
        metavar="DIR",
        help="with --run: folders of heat maps that elbow_jax.explain wrote, for the report",
    )
    return parser


if __name__ == "__main__":
    cli.run(main)
