"""Score a split with a trained run: ``python -m elbow_jax.evaluate --run DIR --split test``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from elbow_core import cli
from elbow_core.config import load_config
from elbow_core.dataset.prepared import PreparedData, open_prepared
from elbow_core.errors import ConfigError
from elbow_core.evaluation import (
    Predictions,
    predictions_of_rows,
    write_predictions,
    write_report,
)
from elbow_jax.config import TrainConfig
from elbow_jax.data import scoring_batches
from elbow_jax.runtime import startup
from elbow_jax.scoring.predictor import Predictor
from elbow_jax.scoring.released import ModelCard, read_released
from elbow_jax.training.run_directory import RunDirectory


def predict_split(
    predictor: Predictor, card: ModelCard, model: str, data: PreparedData, split: str
) -> Predictions:
    """Return the scores of a released model on a split, in manifest order.

    Args:
        predictor: the model, ready to score.
        card: what was released with it; its threshold ``default`` gives the predictions.
        model: the name under which the scores stand in reports.
        data: prepared data.
        split: one of its splits.

    Raises:
        ConfigError: if the split is empty.
    """
    batches = scoring_batches(data, split, batch_size=predictor.batch_size)
    positions, scores = predictor.score(batches)
    rows = [data.rows[position] for position in positions]
    predicted = scores >= card.thresholds["default"]
    return predictions_of_rows(rows, scores, predicted, model)


def evaluate(run: RunDirectory, split: str, batch_size: int) -> Path:
    """Write the predictions and the report of a finished run; return the report's directory.

    Operating points are those frozen in the released model; calibration is fitted on the
    validation set, whose predictions are written too.

    Raises:
        ConfigError: if the run is not finished, or its data were prepared otherwise than the
            model's.
    """
    if not run.config.is_file():
        raise ConfigError(f"{run.path}: is not a run (config.yaml is missing)")
    data = open_prepared(load_config(TrainConfig, run.config).data.prepared)
    released = read_released(run.model)
    wanted = released.card.preprocessing.model_dump(mode="json")
    if wanted != data.archive.settings:
        raise ConfigError(
            f"{data.directory}: prepared with {data.archive.settings}, the model needs {wanted}"
        )
    predictor, name = Predictor(released, batch_size), run.path.name
    predictions = {}
    for part in dict.fromkeys(("validation", split)):
        predictions[part] = predict_split(predictor, released.card, name, data, part)
        write_predictions(run.path / f"predictions_{part}.csv", predictions[part])
    report = run.path / f"report_{split}"
    write_report(
        [predictions[split]],
        report,
        title=f"{name} on {split}",
        validation=[] if split == "validation" else [predictions["validation"]],
        thresholds={name: released.card.thresholds},
        manifest=data.directory / "manifest.csv",
        rejected=data.directory / "rejected.csv",
        archive=data.directory,
        checklist=True,
        run_directory=run.path,
    )
    return report


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m elbow_jax.evaluate", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="directory of a finished run")
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args(arguments)
    startup.begin()
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    report = evaluate(RunDirectory(options.run), options.split, options.batch_size)
    print(f"predictions: {report.parent / f'predictions_{options.split}.csv'}")
    print(f"report: {report}")
    return 0


if __name__ == "__main__":
    cli.run(main)
