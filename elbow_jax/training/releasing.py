"""Release a model from the best checkpoint of a run."""

import jax
import numpy as np
from jaxtyping import Float32, Int64

from elbow_core.dataset import PreparedData, SeenImages
from elbow_core.errors import UserError
from elbow_core.evaluation.statistics import DEFAULT_THRESHOLD, choose_thresholds
from elbow_core.radiographs import Preprocessing
from elbow_jax.auxiliary import without_heads
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import is_main, wait_for_all
from elbow_jax.scoring import sigmoid, write_released
from elbow_jax.steps import TrainState, Variables
from elbow_jax.training.checkpoints import Checkpoints
from elbow_jax.training.engine import Engine
from elbow_jax.training.gate import fit_input_gate
from elbow_jax.training.run_directory import RunDirectory
from elbow_jax.training.validation import score_split, validation_metrics


def release(
    config: TrainConfig, data: PreparedData, engine: Engine, run: RunDirectory, seen: SeenImages
) -> None:
    """Write the weights of the best checkpoint, with thresholds chosen on the validation set.

    The input gate is fitted on the training images, and its limits on the validation set.

    Raises:
        UserError: if there is no checkpoint at the end of an epoch, or its weights or scores are
            not finite; nothing is written then.
    """
    with Checkpoints(run.checkpoints, read_only=True) as checkpoints:
        best = checkpoints.best()
        if best is None:
            raise UserError(f"{run.checkpoints}: holds no checkpoint at the end of an epoch")
        state, _ = checkpoints.restore(best, engine.state)
    variables = state.variables
    labels, logits = score_split(engine, variables, data, config.batch_size, "validation")
    if state.average is not None:
        variables, logits = better_weights(engine, state, data, config.batch_size, labels, logits)
    statistics, gate = fit_input_gate(config, engine.mesh, variables, data)
    if is_main():
        write_released(
            run.model,
            jax.device_get(without_heads(variables)),
            seen,
            statistics,
            architecture=config.model,
            preprocessing=Preprocessing.model_validate(data.archive.settings),
            thresholds={"default": DEFAULT_THRESHOLD, **choose_thresholds(labels, sigmoid(logits))},
            labels=("normal", "injury"),
            validation=validation_metrics(labels, logits),
            step=best,
            gate=gate,
        )
    wait_for_all("released model")


def better_weights(
    engine: Engine,
    state: TrainState,
    data: PreparedData,
    batch_size: int,
    labels: Int64[np.ndarray, " images"],
    logits: Float32[np.ndarray, " images"],
) -> tuple[Variables, Float32[np.ndarray, " images"]]:
    """Return the average of the weights where its validation AUROC is higher, else the weights.

    `logits` are those of the weights; the second value returned are those of what is returned.
    """
    _, averaged = score_split(engine, state.average, data, batch_size, "validation")
    last, mean = (validation_metrics(labels, each)["auroc"] for each in (logits, averaged))
    better = mean > last
    if is_main():
        print(
            f"released: the {'average of the weights' if better else 'weights themselves'} "
            f"(validation AUROC {mean:.4f} of the average, {last:.4f} of the weights)"
        )
    return (state.average, averaged) if better else (state.variables, logits)
