"""Score images with a released model: its network, compiled once, on every device."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float64, Int32

from elbow_jax import networks
from elbow_jax.runtime import compile_in_thread, make_mesh, replicated_sharding
from elbow_jax.scoring.batches import score_batches, sigmoid
from elbow_jax.scoring.card import ModelCard
from elbow_jax.scoring.ensembles import EvalStep, make_ensemble_step
from elbow_jax.scoring.released import ReleasedModel
from elbow_jax.steps import make_eval_step


def make_scoring_step(card: ModelCard) -> EvalStep:
    """Return the pure function ``(variables, batch) -> logits`` of a released model, float32 [B].

    The logits of an ensemble are the log-odds of the mean of its members' probabilities.
    """
    module = networks.build(card.architecture, "auto")
    step = make_eval_step(module.apply, networks.compute_dtype("auto"))
    return step if card.ensemble is None else make_ensemble_step(step)


class Predictor:
    """Scores batches of preprocessed images with a released model, an ensemble or one network.

    Args:
        released: the model.
        batch_size: images in every batch.

    Attributes:
        card: the released model's card.
        batch_size: images in every batch.
    """

    def __init__(self, released: ReleasedModel, batch_size: int):
        self.card = released.card
        self.batch_size = batch_size
        self._mesh = make_mesh(batch_size)
        self._eval_step = compile_in_thread(jax.jit(make_scoring_step(released.card)))
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
