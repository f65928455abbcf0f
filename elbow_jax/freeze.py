"""Freeze the thresholds of an abstention.json into a released model.

    python -m elbow_jax.freeze --model runs/NAME/model abstention.json

`python -m elbow_core.evaluation.abstain` writes abstention.json. `python -m elbow_jax.predict` then
answers injury, normal or uncertain, and `python -m elbow_jax.evaluate` reports the realised shares.
"""

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from elbow_core import cli
from elbow_core.errors import ConfigError
from elbow_core.evaluation import AbstentionRecord, read_abstention
from elbow_core.runs import CONFIG, lock_run
from elbow_jax import scoring


def freeze(model: Path, abstention: AbstentionRecord) -> None:
    """Write the thresholds into the card of a model; the run that it lies in is locked meanwhile.

    Raises:
        UserError: if the thresholds were chosen for a model of another name than the run's, and as
            `elbow_jax.scoring.freeze_abstention` does.
    """
    run = model.resolve().parent
    of_run = (run / CONFIG).is_file()
    if of_run and abstention.model != run.name:
        raise ConfigError(
            f"{model}: is the model of the run {run.name!r}, and the thresholds were chosen for "
            f"{abstention.model!r}; choose them on this run's predictions_validation.csv"
        )
    with lock_run(run) if of_run else nullcontext():
        scoring.freeze_abstention(model, abstention)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m elbow_jax.freeze",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("abstention", type=Path, metavar="abstention.json")
    parser.add_argument(
        "--model", type=Path, required=True, help="the `model` folder of a finished run"
    )
    options = parser.parse_args(arguments)
    freeze(options.model, read_abstention(options.abstention))
    print(options.model / "model.json")
    return 0


if __name__ == "__main__":
    cli.run(main)
