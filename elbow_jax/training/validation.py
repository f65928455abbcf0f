"""Score a split during training, and the metrics of the validation set."""

import numpy as np
from jaxtyping import Float32, Int64

from elbow_core.dataset import PreparedData
from elbow_core.evaluation.statistics import auroc
from elbow_jax.data import scoring_batches
from elbow_jax.runtime import process
from elbow_jax.scoring import score_batches, sigmoid
from elbow_jax.steps import TrainState, Variables
from elbow_jax.training.engine import Engine


def score_split(
    engine: Engine, variables: Variables, data: PreparedData, batch_size: int, split: str
) -> tuple[Int64[np.ndarray, " images"], Float32[np.ndarray, " images"]]:
    """Return the labels and logits of a split, in manifest order.

    Raises `UserError` if a logit is not finite, naming the image.
    """
    batches = scoring_batches(data, split, batch_size=batch_size, process=process())
    positions, logits = score_batches(
        engine.eval_step,
        variables,
        batches,
        engine.mesh,
        lambda position: data.rows[position].image_id,
    )
    return np.asarray([data.rows[position].label for position in positions], np.int64), logits


def validation_metrics(
    labels: Int64[np.ndarray, " images"], logits: Float32[np.ndarray, " images"]
) -> dict[str, float]:
    """Return ``auroc``, ``accuracy`` (at 0.5) and ``loss`` (mean sigmoid cross-entropy)."""
    # log(1 + exp(-z)) with the sign of the label: stable for large logits.
    loss = np.logaddexp(0.0, np.where(labels == 1, -logits, logits).astype(np.float64))
    return {
        "auroc": auroc(labels, sigmoid(logits)),
        "accuracy": float(np.mean((logits >= 0) == (labels == 1))),
        "loss": float(loss.mean()),
    }


def validate(
    engine: Engine, state: TrainState, data: PreparedData, batch_size: int
) -> dict[str, dict[str, float]]:
    """Return the metrics on the validation set: `validation`, and `validation_average`.

    The latter are those of the average of the weights, where one is kept.
    """
    candidates = {"validation": state.variables}
    if state.average is not None:
        candidates["validation_average"] = state.average
    return {
        name: validation_metrics(*score_split(engine, variables, data, batch_size, "validation"))
        for name, variables in candidates.items()
    }
