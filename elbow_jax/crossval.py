"""Cross-validation: every image is scored by a network that has not learnt from its patient.

python -m elbow_jax.crossval --config F --folds N [--repeats R] [--fold-seed S] [--fold K]
    [--ensemble] [--field.sub value ...]

The run's directory gets one run a fold, `fold_1` to `fold_N`. Each is trained and scored on its own
test set; what is finished is skipped, and what was interrupted is resumed. The last one to finish
gathers all scores in `predictions_out_of_fold.csv` and writes `folds.csv` and `report_out_of_fold`.
--fold K trains and scores one fold, so that the folds can run on different machines that share the
directory, each in a job of its own; --fold-seed deals the patients differently. --repeats R repeats
all that with R dealings, of seeds S, S + 1 and so on, in `repeat_1/fold_1` to `repeat_R/fold_N`; K
then counts through all repeats, and an image's score is the mean of its R scores.
--ensemble releases the mean probability of all folds' networks as one model, in `model`. It has
learnt from every image, so no score of the report is one of it; judge it on other images.
`python -m elbow_core.evaluation.folds` compares two such runs.
"""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elbow_core import cli, evaluation
from elbow_core.config import describe_fields, load_config, take_config_path
from elbow_core.dataset import FoldSplit, open_archive, open_fold
from elbow_core.errors import ConfigError, UserError
from elbow_core.evaluation import Predictions
from elbow_core.evaluation.statistics import DEFAULT_THRESHOLD
from elbow_core.files import locked_output, require_utf8_name, require_writable
from elbow_core.runs import lock_run
from elbow_jax import runtime, training
from elbow_jax.config import TrainConfig
from elbow_jax.ensemble import FoldModel, release_ensemble, require_ensemble
from elbow_jax.evaluate import evaluate

OUT_OF_FOLD = "predictions_out_of_fold.csv"
REPORT = "report_out_of_fold"
SCORES = "predictions_test.csv"

_ENSEMBLE = "--ensemble"
_OWN = ("folds", "repeats", "fold", "fold-seed")


@dataclass(frozen=True)
class _FoldRun:
    """One fold of one repeat, and the directory of its run."""

    repeat: int
    split: FoldSplit
    run: Path

    @property
    def released(self) -> FoldModel:
        """The model that the run releases."""
        return FoldModel(self.repeat, self.split.number, training.RunDirectory(self.run).model)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if "--help" in arguments:
        print(f"{__doc__}\nFields of the configuration:\n{describe_fields(TrainConfig)}")
        return 0
    releases = _ENSEMBLE in arguments
    path, overrides = take_config_path([word for word in arguments if word != _ENSEMBLE])
    counts, overrides = _take_counts(overrides)
    config = load_config(TrainConfig, path, overrides)
    if config.data.fold is not None:
        raise ConfigError("data.fold: is set by this command; give --folds and --fold")
    require_utf8_name(config.run.absolute())
    folds = _folds(counts, config.run)
    runtime.set_up_process()
    runtime.open_devices()
    require_writable(config.run)
    config.run.mkdir(parents=True, exist_ok=True)
    _require_outputs(config.run, folds)
    model = training.RunDirectory(config.run).model
    if releases:
        size = open_archive(config.data.prepared).size
        require_ensemble(model, len(folds), config.model, size)
    for position, fold in enumerate(folds, start=1):
        if counts.get("fold", position) != position:
            continue
        if status := _run_fold(config, fold):
            return status
    missing = [fold.run for fold in folds if not (fold.run / SCORES).is_file()]
    if missing:
        names = ", ".join(run.relative_to(config.run).as_posix() for run in missing)
        print(f"{config.run}: not scored yet: {names}")
        return 0
    with ExitStack() as stack:
        try:
            stack.enter_context(locked_output(config.run / REPORT))
        except UserError:
            print(f"{config.run}: another process gathers the scores of all folds")
            return 0
        print(f"report: {gather(config, folds)}")
        if releases:
            models = [fold.released for fold in folds]
            print(release_ensemble(models, config.run / OUT_OF_FOLD, model))
    return 0


def gather(config: TrainConfig, folds: Sequence[_FoldRun]) -> Path:
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
            evaluation.write_predictions(_folder(config.run, number) / OUT_OF_FOLD, predictions)
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


def _require_outputs(run: Path, folds: Sequence[_FoldRun]) -> None:
    """Check, before the folds are trained, that their scores can be gathered."""
    tables = [run / OUT_OF_FOLD, *(fold.run / SCORES for fold in folds if fold.run.is_dir())]
    for table in tables:
        evaluation.require_predictions_file(table)
    evaluation.require_folds_file(run / evaluation.FOLDS_FILE)
    evaluation.require_report_folder(run / REPORT)


def _run_fold(config: TrainConfig, fold: _FoldRun) -> int:
    """Train and score one fold, unless that is done; return the exit status."""
    data = config.data.model_copy(update={"fold": fold.split})
    print(f"fold {fold.split.number} of {fold.split.of}: {fold.run}")
    changes = {"run": fold.run, "data": data}
    status = training.run_stage(config.model_copy(update=changes), resume=True)
    if status or (fold.run / SCORES).is_file():
        return status
    with lock_run(fold.run):
        evaluate(fold.run, "test", config.batch_size)
    return 0


def _folder(run: Path, repeat: int) -> Path:
    return run / f"repeat_{repeat}"


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


def _folds(counts: dict[str, int], run: Path) -> list[_FoldRun]:
    if "folds" not in counts:
        raise ConfigError("give --folds N, the number of folds")
    total, repeats = counts["folds"], counts.get("repeats", 1)
    if total < 3:
        raise ConfigError(
            f"--folds: {total} is below 3: one to test, one to validate, one to train"
        )
    if repeats < 1:
        raise ConfigError("--repeats: 0 is below 1")
    if not 1 <= counts.get("fold", 1) <= total * repeats:
        raise ConfigError(f"--fold: {counts['fold']} is not from 1 to {total * repeats}")
    seed = counts.get("fold-seed", 0)
    return [
        _FoldRun(
            repeat,
            FoldSplit(number=number, of=total, seed=seed + repeat - 1),
            (_folder(run, repeat) if repeats > 1 else run) / f"fold_{number}",
        )
        for repeat in range(1, repeats + 1)
        for number in range(1, total + 1)
    ]


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
