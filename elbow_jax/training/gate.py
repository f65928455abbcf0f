"""Fit the input gate of a network that is released."""

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float32

from elbow_core.dataset import PreparedData
from elbow_jax import networks
from elbow_jax.config import TrainConfig
from elbow_jax.data import scoring_batches
from elbow_jax.runtime import compile_in_thread, process
from elbow_jax.scoring import (
    FALSE_ALARMS,
    FEWEST_IMAGES,
    GateRecord,
    fit_gate,
    make_feature_step,
    score_batches,
)
from elbow_jax.steps import Variables


def fit_input_gate(
    config: TrainConfig, mesh: Mesh, variables: Variables, data: PreparedData
) -> tuple[dict[str, Any] | None, GateRecord | None]:
    """Return the statistics of the input gate and its record in the card: see `fit_gate`.

    Both are None where the validation set is too small for a limit. The training images pass
    through the network once, without augmentation.

    Raises:
        UserError: if the network gives nan or an infinite number for an image, naming it.
    """
    labels = np.array([data.rows[position].label for position in data.positions("train")])
    images = len(data.positions("validation"))
    if images < FEWEST_IMAGES:
        return None, None
    module = networks.build(config.model, config.precision)
    dtype = networks.compute_dtype(config.precision)
    step = compile_in_thread(jax.jit(make_feature_step(module.apply, dtype)))

    def name_of(position: int) -> str:
        return data.rows[position].image_id

    def table_of(split: str) -> Float32[np.ndarray, "images columns"]:
        batches = scoring_batches(data, split, batch_size=config.batch_size, process=process())
        return score_batches(step, variables, batches, mesh, name_of)[1]

    statistics = fit_gate(table_of("train"), labels, table_of("validation"))
    if statistics is None:
        return None, None
    record = GateRecord(distance="mahalanobis", false_alarms=FALSE_ALARMS, images=images)
    return statistics, record
