"""Score images with a released model: its network, compiled once, on every device."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float32, Float64, Int32

from elbow_jax import networks
from elbow_jax.networks import Precision
from elbow_jax.runtime import compile_in_thread, make_mesh, replicated_sharding
from elbow_jax.scoring.batches import (
    Started,
    finish_batches,
    score_batches,
    sigmoid,
    start_batch,
)
from elbow_jax.scoring.card import ModelCard
from elbow_jax.scoring.ensembles import EvalStep, make_ensemble_step, mean_logit
from elbow_jax.scoring.gate import make_feature_step, make_gated_step
from elbow_jax.scoring.released import ReleasedModel
from elbow_jax.steps import make_eval_step

Judged = tuple[
    Int32[np.ndarray, " images"],
    Float64[np.ndarray, " images"],
    Float32[np.ndarray, " images"] | None,
]
"""Positions, scores, and distances of the input gate: above 1 an image is unlike the training
images. The distances are None for a model without a gate."""


def make_scoring_step(card: ModelCard, precision: Precision = "auto") -> EvalStep:
    """Return the pure function ``(variables, batch) -> logits`` of a released model, float32 [B].

    The logits of an ensemble are the log-odds of the mean of its members' probabilities.
    """
    module = networks.build(card.architecture, precision)
    step = make_eval_step(module.apply, networks.compute_dtype(precision))
    return step if card.ensemble is None else make_ensemble_step(step)


def make_judging_step(card: ModelCard) -> EvalStep:
    """Return the pure function ``((variables, statistics), batch) -> table`` of a gated model.

    The columns of the table, float32 [B, 2], are the logit and the distance of the input gate: of
    an ensemble, the mean of its members' distances.
    """
    module = networks.build(card.architecture, "auto")
    step = make_gated_step(make_feature_step(module.apply, networks.compute_dtype("auto")))
    if card.ensemble is None:
        return step

    def ensemble_step(model: Any, batch: Mapping[str, Array]) -> Float32[Array, "batch 2"]:
        tables = jax.lax.map(lambda member: step(member, batch), model)
        return jnp.stack([mean_logit(tables[..., 0]), tables[..., 1].mean(axis=0)], axis=1)

    return ensemble_step


class Predictor:
    """Scores batches of preprocessed images with a released model, an ensemble or one network.

    Args:
        released: the model.
        batch_size: images in every batch.

    Attributes:
        card: the released model's card.
        batch_size: images in every batch.
        devices: releases and devices with which other ones may round otherwise, as texts.
    """

    def __init__(self, released: ReleasedModel, batch_size: int):
        self.card = released.card
        self.batch_size = batch_size
        self._mesh = make_mesh(batch_size)
        self.devices = [f"jax {jax.__version__}", *map(str, sorted(_kinds(self._mesh)))]
        self._gated = released.statistics is not None
        step = (make_judging_step if self._gated else make_scoring_step)(released.card)
        model = (released.variables, released.statistics) if self._gated else released.variables
        self._step = compile_in_thread(jax.jit(step))
        self._model = jax.device_put(model, replicated_sharding(self._mesh))

    def score(
        self,
        batches: Iterable[dict[str, Any]],
        name_of: Callable[[int], str] = "image {}".format,
    ) -> tuple[Int32[np.ndarray, " images"], Float64[np.ndarray, " images"]]:
        """Return each image's position and its score, P(injury) in 0..1, ordered by position.

        Args:
            batches: dicts of ``image`` uint8 [B, S, S, 1] and ``position`` int32 [B], -1 for
                padding.
            name_of: returns the name of the image at a position, for the error.

        Raises:
            UserError: if the network gives nan or an infinite number for an image, naming it.
        """
        positions, scores, _ = self.judge(batches, name_of)
        return positions, scores

    def judge(
        self,
        batches: Iterable[dict[str, Any]],
        name_of: Callable[[int], str] = "image {}".format,
    ) -> Judged:
        """Return positions and scores as `score` does, and the distances of the input gate."""
        return self._judged(*score_batches(self._step, self._model, batches, self._mesh, name_of))

    def start(self, batch: dict[str, Any]) -> Started:
        """Give a batch to the devices; an accelerator computes on while this returns."""
        return start_batch(self._step, self._model, batch, self._mesh)

    def finish(self, started: Started, name_of: Callable[[int], str]) -> Judged:
        """Return of a batch that `start` began what `judge` does."""
        return self._judged(*finish_batches([started], name_of))

    def _judged(
        self, positions: Int32[np.ndarray, " images"], table: Float32[np.ndarray, "images ..."]
    ) -> Judged:
        if not self._gated:
            return positions, sigmoid(table), None
        return positions, sigmoid(table[:, 0]), table[:, 1]


def _kinds(mesh: Mesh) -> list[tuple[str, str]]:
    return [(device.platform, device.device_kind) for device in mesh.devices.flat]
