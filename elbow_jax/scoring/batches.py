"""Score batches with a compiled step: each image once, in the order of the archive."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from jaxtyping import Float32, Float64, Int32

from elbow_core.errors import UserError
from elbow_jax.runtime import to_devices

Started = tuple[jax.Array, jax.Array]
"""Positions and logits of a batch that the devices may still compute."""


def score_batches(
    eval_step: Callable[[Any, Mapping[str, jax.Array]], jax.Array],
    variables: Any,
    batches: Iterable[dict[str, np.ndarray]],
    mesh: Mesh,
    name_of: Callable[[int], str],
) -> tuple[Int32[np.ndarray, " images"], Float32[np.ndarray, "images ..."]]:
    """Return each image's position in the archive and its logit, without padding.

    A step may return a row of numbers for each image; the first of them is then the logit.

    The result does not depend on the number of devices.

    Args:
        eval_step: the compiled ``(variables, batch) -> logits``.
        variables: what the step takes, replicated over `mesh`.
        batches: from `elbow_jax.data.scoring_batches`.
        mesh: the devices.
        name_of: returns the name of the image at a position, for the error.

    Raises:
        UserError: if a number is nan or infinite, naming the image.
    """
    started = [start_batch(eval_step, variables, batch, mesh) for batch in batches]
    return finish_batches(started, name_of)


def start_batch(
    eval_step: Callable[[Any, Mapping[str, jax.Array]], jax.Array],
    variables: Any,
    batch: dict[str, np.ndarray],
    mesh: Mesh,
) -> Started:
    """Give a batch to the devices, as `score_batches` does, and return without waiting for them."""
    placed = to_devices(batch, mesh)
    return placed["position"], eval_step(variables, placed)


def finish_batches(
    started: Sequence[Started], name_of: Callable[[int], str]
) -> tuple[Int32[np.ndarray, " images"], Float32[np.ndarray, "images ..."]]:
    """Wait for one batch or more; return positions and logits as `score_batches` does."""
    gathered = [tuple(np.asarray(_gather(array)) for array in pair) for pair in started]
    positions = np.concatenate([pair[0] for pair in gathered])
    logits = np.concatenate([pair[1] for pair in gathered])
    is_image = positions >= 0
    positions, logits = positions[is_image], logits[is_image]
    finite = np.isfinite(logits)
    wrong = np.flatnonzero(~finite.reshape(len(logits), -1).all(axis=1))
    if len(wrong):
        value = logits[wrong[0]][~finite[wrong[0]]].flat[0]
        raise UserError(
            f"{name_of(int(positions[wrong[0]]))}: the network gives {value} and no "
            f"score, here and for {len(wrong) - 1} other images; its weights cannot be used"
        )
    order = np.argsort(positions, kind="stable")
    return positions[order], logits[order]


def sigmoid(logits: Float32[np.ndarray, " images"]) -> Float64[np.ndarray, " images"]:
    """Return P(injury) in float64, so that confident scores are not rounded to ties at 1."""
    return np.exp(-np.logaddexp(0.0, -logits.astype(np.float64)))


def _gather(array: jax.Array) -> Any:
    """Return a global array in full on every process."""
    if jax.process_count() == 1:
        return array
    return multihost_utils.process_allgather(array, tiled=True)
