"""Cross-validation: every image is scored by a network that has not learnt from its patient.

python -m elbow_jax.crossval --config F --folds N [--fold-seed S] [--fold K] [--field.sub value ...]

The run's directory gets one run a fold, `fold_1` to `fold_N`. Each is trained and scored on its own
test set; what is finished is skipped, and what was interrupted is resumed. The last one to finish
gathers all scores in `predictions_out_of_fold.csv` and writes `folds.csv` and `report_out_of_fold`.
--fold K trains and scores one fold, so that the folds can run on different machines that share the
directory; --fold-seed deals the patients differently.
"""

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from elbow_core import cli, evaluation
from elbow_core.config import describe_fields, load_config, take_config_path
from elbow_core.dataset import FoldSplit, open_fold
from elbow_core.errors import ConfigError
from elbow_core.evaluation import Predictions
from elbow_core.evaluation.statistics import auroc
from elbow_core.files import require_utf8_name, require_writable
from elbow_core.runs import lock_run
from elbow_core.tables import write_csv_table
from elbow_jax import runtime, training
from elbow_jax.config import TrainConfig
from elbow_jax.evaluate import evaluate

OUT_OF_FOLD = "predictions_out_of_fold.csv"
FOLDS = "folds.csv"
REPORT = "report_out_of_fold"
SCORES = "predictions_test.csv"

_OWN = ("folds", "fold", "fold-seed")


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments:
        print(f"{__doc__}\nFields of the configuration:\n{describe_fields(TrainConfig)}")
        return 0
    path, overrides = take_config_path(arguments)
    counts, overrides = _take_counts(overrides)
    config = load_config(TrainConfig, path, overrides)
    if config.data.fold is not None:
        raise ConfigError("data.fold: is set by this command; give --folds and --fold")
    require_utf8_name(config.run.absolute())
    folds = _folds(counts)
    runtime.set_up_process()
    runtime.open_devices()
    require_writable(config.run)
    config.run.mkdir(parents=True, exist_ok=True)
    for fold in folds:
        if counts.get("fold", fold.number) != fold.number:
            continue
        if status := _run_fold(config, fold):
            return status
    runs = [_run_of(config, fold) for fold in folds]
    if missing := [run.name for run in runs if not (run / SCORES).is_file()]:
        print(f"{config.run}: not scored yet: {', '.join(missing)}")
        return 0
    print(f"report: {gather(config, folds)}")
    return 0


def gather(config: TrainConfig, folds: Sequence[FoldSplit]) -> Path:
    """Write the out-of-fold predictions, the table of folds and the report; return its directory.

    Raises:
        UserError: if a fold's scores are not of its own test set, or a file cannot be written.
    """
    parts = []
    for fold in folds:
        run = _run_of(config, fold)
        part = evaluation.read_predictions(run / SCORES)
        data = open_fold(config.data.prepared, fold)
        expected = {data.rows[position].image_id for position in data.positions("test")}
        if set(part.image_id.tolist()) != expected:
            raise ConfigError(
                f"{run / SCORES}: is not of the images of fold {fold.number} of {fold.of} of "
                f"{config.data.prepared}; the data have changed, so give another `run:`"
            )
        parts.append(part)
    pooled = _pool(parts, config.run.name)
    evaluation.write_predictions(config.run / OUT_OF_FOLD, pooled)
    write_csv_table(
        config.run / FOLDS,
        ("fold", "images", "injured", "auroc"),
        [
            (fold.number, len(part), int(part.label.sum()), f"{auroc(part.label, part.score):.4f}")
            for fold, part in zip(folds, parts, strict=True)
        ],
    )
    report = config.run / REPORT
    evaluation.write_report(
        [pooled],
        report,
        evaluation.ReportInputs(
            manifest=config.data.prepared / "manifest.csv", archive=config.data.prepared
        ),
        evaluation.ReportSettings(title=f"{config.run.name}, {len(folds)} folds, out of fold"),
    )
    return report


def _run_fold(config: TrainConfig, fold: FoldSplit) -> int:
    """Train and score one fold, unless that is done; return the exit status."""
    data = config.data.model_copy(update={"fold": fold})
    run = _run_of(config, fold)
    print(f"fold {fold.number} of {fold.of}: {run}")
    status = training.run_stage(config.model_copy(update={"run": run, "data": data}), resume=True)
    if status or (run / SCORES).is_file():
        return status
    with lock_run(run):
        evaluate(run, "test", config.batch_size)
    return 0


def _run_of(config: TrainConfig, fold: FoldSplit) -> Path:
    return config.run / f"fold_{fold.number}"


def _pool(parts: Sequence[Predictions], name: str) -> Predictions:
    """Join the predictions of all folds, sorted by image."""
    order = np.argsort(np.concatenate([part.image_id for part in parts]), kind="stable")
    fields = ("image_id", "patient_id", "study_id", "label", "score", "prediction")
    joined = {
        field: np.concatenate([getattr(part, field) for part in parts])[order] for field in fields
    }
    return dataclasses.replace(parts[0], **joined, model=name, path="", lines=None)


def _folds(counts: dict[str, int]) -> list[FoldSplit]:
    if "folds" not in counts:
        raise ConfigError("give --folds N, the number of folds")
    total, seed = counts["folds"], counts.get("fold-seed", 0)
    if total < 3:
        raise ConfigError(
            f"--folds: {total} is below 3: one to test, one to validate, one to train"
        )
    if not 1 <= counts.get("fold", 1) <= total:
        raise ConfigError(f"--fold: {counts['fold']} is not from 1 to {total}")
    return [FoldSplit(number=number, of=total, seed=seed) for number in range(1, total + 1)]


def _take_counts(overrides: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Split off the command's own options from the overrides of the configuration."""
    counts, rest = {}, []
    for override in overrides:
        name, _, value = override.removeprefix("--").partition("=")
        if name not in _OWN:
            rest.append(override)
            continue
        with suppress(ValueError):
            counts[name] = int(value)
        if counts.get(name, -1) < 0:
            raise ConfigError(f"--{name}: {value!r} is not a number from 0 on")
    return counts, rest


if __name__ == "__main__":
    cli.run(main)
