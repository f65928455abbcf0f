"""Score images with a released model: its network, compiled once, on every device."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float64, Int32

from elbow_jax import networks
from elbow_jax.runtime import compile_in_thread, make_mesh, replicated_sharding
from elbow_jax.scoring.batches import (
    Started,
    finish_batches,
    score_batches,
    sigmoid,
    start_batch,
)
from elbow_jax.scoring.released import ReleasedModel
from elbow_jax.steps import make_eval_step


class Predictor:
    """Scores batches of preprocessed images with a released model.

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
        module = networks.build(released.card.architecture, "auto")
        eval_step = make_eval_step(module.apply, networks.compute_dtype("auto"))
        self._eval_step = compile_in_thread(jax.jit(eval_step))
        self._variables = jax.device_put(released.variables, replicated_sharding(self._mesh))

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
        positions, logits = score_batches(
            self._eval_step, self._variables, batches, self._mesh, name_of
        )
        return positions, sigmoid(logits)

    def start(self, batch: dict[str, Any]) -> Started:
        """Give a batch to the devices; an accelerator computes on while this returns."""
        return start_batch(self._eval_step, self._variables, batch, self._mesh)

    def finish(
        self, started: Started, name_of: Callable[[int], str]
    ) -> tuple[Int32[np.ndarray, " images"], Float64[np.ndarray, " images"]]:
        """Return positions and scores of a batch that `start` began, as `score` does."""
        positions, logits = finish_batches([started], name_of)
        return positions, sigmoid(logits)


def _kinds(mesh: Mesh) -> list[tuple[str, str]]:
    return [(device.platform, device.device_kind) for device in mesh.devices.flat]
