"""The tensors of a released model, one network or an ensemble, for its torch twin."""

import numpy as np

from elbow_jax.models import build_model
from elbow_jax.porting.mapping import ensemble_to_torch, to_torch
from elbow_jax.scoring import ReleasedModel, member_variables


def released_to_torch(released: ReleasedModel) -> dict[str, np.ndarray]:
    """Return the tensors of the model's twin by name.

    The twin is that of `elbow_jax.porting.build_twin`, or of `build_ensemble_twin` for an ensemble.
    """
    module, members = build_model(released.card.architecture), released.card.members
    if members is None:
        return to_torch(released.variables, module)
    each = (member_variables(released.variables, number) for number in range(members))
    return ensemble_to_torch(each, module)
