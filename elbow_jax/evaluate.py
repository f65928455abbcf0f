"""Score a split with a trained run: ``python -m elbow_jax.evaluate --run DIR --split test``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from elbow_core import cli
from elbow_core.config import load_config
from elbow_core.errors import ConfigError
from elbow_core.evaluation.predictions import Predictions, write_predictions
from elbow_core.evaluation.report import write_report
from elbow_jax import compilation
from elbow_jax.config import TrainConfig
from elbow_jax.data import PreparedData, open_prepared, scoring_batches
from elbow_jax.inference import Predictor
from elbow_jax.released import read_released
from elbow_jax.run_directory import RunDirectory


def predict_split(
    run: RunDirectory, data: PreparedData, split: str, batch_size: int
) -> Predictions:
    """Return the released model's scores on a split of prepared data, in manifest order.

    Raises:
        ConfigError: if the split is empty or the data were preprocessed otherwise than the model's.
    """
    released = read_released(run.model)
    wanted = released.card.preprocessing.model_dump(mode="json")
    if wanted != data.archive.settings:
        raise ConfigError(
            f"{data.directory}: prepared with {data.archive.settings}, the model needs {wanted}"
        )
    predictor = Predictor(released, batch_size)
    positions, scores = predictor.score(scoring_batches(data, split, batch_size=batch_size))
    rows = [data.rows[position] for position in positions]
    return Predictions(
        image_id=np.asarray([row.image_id for row in rows]),
        patient_id=np.asarray([row.patient_id for row in rows]),
        study_id=np.asarray([row.study_id for row in rows]),
        label=np.asarray([row.label for row in rows], np.int64),
        score=scores,
        prediction=(scores >= released.card.thresholds["default"]).astype(np.int64),
        model=run.path.name,
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m elbow_jax.evaluate", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="directory of a finished run")
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args(arguments)
    logging.getLogger("absl").setLevel(logging.ERROR)
    run = RunDirectory(options.run)
    if not run.config.is_file():
        raise ConfigError(f"{run.path}: is not a run (config.yaml is missing)")
    if options.batch_size < 1:
        raise ConfigError(f"--batch-size: {options.batch_size} is not at least 1")
    compilation.use_cache()
    config = load_config(TrainConfig, run.config)
    data = open_prepared(config.data.prepared)
    predictions = predict_split(run, data, options.split, options.batch_size)
    write_predictions(run.path / f"predictions_{options.split}.csv", predictions)
    report = run.path / f"report_{options.split}"
    write_report([predictions], report, title=f"{run.path.name} on {options.split}")
    print(f"predictions: {run.path / f'predictions_{options.split}.csv'}")
    print(f"report: {report / 'report.md'}")
    return 0


if __name__ == "__main__":
    cli.run(main)
