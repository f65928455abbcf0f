"""The tensors of a released model, one network or an ensemble, for its torch twin."""

from typing import Any

import jax
import numpy as np

from elbow_jax.models import ModelConfig, build_model
from elbow_jax.porting.mapping import ensemble_to_torch, to_torch


def released_to_torch(
    config: ModelConfig, variables: Any, members: int | None
) -> dict[str, np.ndarray]:
    """Return the tensors by name of `build_twin`, or of an ensemble's `build_ensemble_twin`.

    Args:
        config: of the network.
        variables: of the released model.
        members: of an ensemble, whose variables have a first axis over them; None for one network.
    """
    module = build_model(config)
    if members is None:
        return to_torch(variables, module)
    each = (jax.tree.map(lambda array: array[n], variables) for n in range(members))  # noqa: B023
    return ensemble_to_torch(each, module)
