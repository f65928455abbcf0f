"""Gather the scores of all folds: out-of-fold predictions, the table of folds, the report."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from elbow_core import evaluation
from elbow_core.dataset import open_fold
from elbow_core.errors import ConfigError
from elbow_core.evaluation import Predictions
from elbow_core.evaluation.statistics import DEFAULT_THRESHOLD
from elbow_jax.config import TrainConfig
from elbow_jax.crossval.fold_runs import SCORES, FoldRun, repeat_directory

OUT_OF_FOLD = "predictions_out_of_fold.csv"
REPORT = "report_out_of_fold"


def gather(config: TrainConfig, folds: Sequence[FoldRun]) -> Path:
    """Write the out-of-fold predictions, the table of folds and the report; return its directory.

    Raises:
        UserError: if a fold's scores are not of its own test set, or a file cannot be written.
    """
    name = config.run.name
    repeats: dict[int, list[Predictions]] = {}
    measured = []
    for fold in folds:
        part = evaluation.read_predictions(fold.run / SCORES)
        data = open_fold(config.data.prepared, fold.split)
        expected = {data.rows[position].image_id for position in data.positions("test")}
        if set(part.image_id.tolist()) != expected:
            raise ConfigError(
                f"{fold.run / SCORES}: is not of the images of fold {fold.split.number} of "
                f"{fold.split.of} of {config.data.prepared}; the data have changed, so give "
                "another `run:`"
            )
        trained = len(data.positions("train"))
        measured.append(evaluation.measure_fold(fold.repeat, fold.split.number, trained, part))
        repeats.setdefault(fold.repeat, []).append(part)
    pooled = [_pool(parts, name) for parts in repeats.values()]
    for number, predictions in zip(repeats, pooled, strict=True):
        if len(repeats) > 1:
            evaluation.write_predictions(
                repeat_directory(config.run, number) / OUT_OF_FOLD, predictions
            )
    judged = _mean(pooled)
    evaluation.write_predictions(config.run / OUT_OF_FOLD, judged)
    evaluation.write_folds(config.run / evaluation.FOLDS_FILE, measured)
    mean, deviation = evaluation.spread(measured, "auroc")
    print(
        f"AUROC of the {len(measured)} folds: mean {mean:.3f}, standard deviation {deviation:.3f} "
        "(of the folds, which share training data; no standard error)"
    )
    report = config.run / REPORT
    repeated = f", mean of {len(repeats)} repeats" if len(repeats) > 1 else ""
    evaluation.write_report(
        [judged],
        report,
        evaluation.ReportInputs(
            manifest=config.data.prepared / "manifest.csv",
            archive=config.data.prepared,
            evidence=[config.run],
        ),
        evaluation.ReportSettings(
            title=f"{name}, {folds[0].split.of} folds, out of fold{repeated}", checklist=True
        ),
    )
    return report


def require_outputs(run: Path, folds: Sequence[FoldRun]) -> None:
    """Check, before the folds are trained, that their scores can be gathered."""
    tables = [run / OUT_OF_FOLD, *(fold.run / SCORES for fold in folds if fold.run.is_dir())]
    for table in tables:
        evaluation.require_predictions_file(table)
    evaluation.require_folds_file(run / evaluation.FOLDS_FILE)
    evaluation.require_report_folder(run / REPORT)


def _pool(parts: Sequence[Predictions], name: str) -> Predictions:
    """Join the predictions of all folds, sorted by image."""
    order = np.argsort(np.concatenate([part.image_id for part in parts]), kind="stable")
    fields = ("image_id", "patient_id", "study_id", "label", "score", "prediction")
    joined = {
        field: np.concatenate([getattr(part, field) for part in parts])[order] for field in fields
    }
    return dataclasses.replace(parts[0], **joined, model=name, path="", lines=None)


def _mean(repeats: Sequence[Predictions]) -> Predictions:
    """Return the mean of several out-of-fold scores of each image, decided at 0.5."""
    if len(repeats) == 1:
        return repeats[0]
    score = np.mean([found.score for found in repeats], axis=0)
    prediction = (score >= DEFAULT_THRESHOLD).astype(np.int64)
    return dataclasses.replace(repeats[0], score=score, prediction=prediction)
