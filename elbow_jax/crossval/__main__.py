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

from collections.abc import Sequence
from contextlib import ExitStack, suppress

from elbow_core import cli
from elbow_core.config import describe_fields, load_config, take_config_path
from elbow_core.dataset import open_archive
from elbow_core.errors import ConfigError, UserError
from elbow_core.files import locked_output, require_utf8_name, require_writable
from elbow_jax import runtime, training
from elbow_jax.config import TrainConfig
from elbow_jax.crossval.ensemble import release_ensemble, require_ensemble
from elbow_jax.crossval.fold_runs import SCORES, plan_folds, run_fold
from elbow_jax.crossval.gathering import OUT_OF_FOLD, REPORT, gather, require_outputs

_ENSEMBLE = "--ensemble"
_OWN = ("folds", "repeats", "fold", "fold-seed")


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
    folds = plan_folds(counts, config.run)
    runtime.set_up_process()
    runtime.open_devices()
    require_writable(config.run)
    config.run.mkdir(parents=True, exist_ok=True)
    require_outputs(config.run, folds)
    model = training.RunDirectory(config.run).model
    if releases:
        size = open_archive(config.data.prepared).size
        require_ensemble(model, len(folds), config.model, size)
    for position, fold in enumerate(folds, start=1):
        if counts.get("fold", position) != position:
            continue
        if status := run_fold(config, fold):
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
