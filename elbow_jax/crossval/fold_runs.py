"""The runs of a cross-validation: one for each fold of each repeat, trained and scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elbow_core.dataset import FoldSplit
from elbow_core.errors import ConfigError
from elbow_core.runs import lock_run
from elbow_jax import training
from elbow_jax.config import TrainConfig
from elbow_jax.crossval.ensemble import FoldModel
from elbow_jax.evaluate import evaluate

SCORES = "predictions_test.csv"
"""In the directory of a fold's run: the predictions of its test set."""


@dataclass(frozen=True)
class FoldRun:
    """One fold of one repeat, and the directory of its run."""

    repeat: int
    split: FoldSplit
    run: Path

    @property
    def released(self) -> FoldModel:
        """The model that the run releases."""
        return FoldModel(self.repeat, self.split.number, training.RunDirectory(self.run).model)


def plan_folds(counts: Mapping[str, int], run: Path) -> list[FoldRun]:
    """Return the runs of all folds of all repeats, in order.

    Args:
        counts: the command's options by name: ``folds``, ``repeats``, ``fold``, ``fold-seed``.
        run: the directory of the cross-validation.

    Raises:
        ConfigError: for an option that is missing or out of range.
    """
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
        FoldRun(
            repeat,
            FoldSplit(number=number, of=total, seed=seed + repeat - 1),
            (repeat_directory(run, repeat) if repeats > 1 else run) / f"fold_{number}",
        )
        for repeat in range(1, repeats + 1)
        for number in range(1, total + 1)
    ]


def repeat_directory(run: Path, repeat: int) -> Path:
    """Return the directory of a repeat where there are several."""
    return run / f"repeat_{repeat}"


def run_fold(config: TrainConfig, fold: FoldRun) -> int:
    """Train and score one fold, unless that is done; return the exit status.

    Raises:
        UserError: as `elbow_jax.training.run_stage` and `elbow_jax.evaluate.evaluate` do.
    """
    data = config.data.model_copy(update={"fold": fold.split})
    print(f"fold {fold.split.number} of {fold.split.of}: {fold.run}")
    changes = {"run": fold.run, "data": data}
    status = training.run_stage(config.model_copy(update=changes), resume=True)
    if status or (fold.run / SCORES).is_file():
        return status
    with lock_run(fold.run):
        evaluate(fold.run, "test", config.batch_size)
    return 0
