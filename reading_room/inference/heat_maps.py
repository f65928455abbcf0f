"""Heat maps of single radiographs: the only module here that knows `elbow_jax.explain`."""

from typing import Any

import numpy as np
from jaxtyping import Float32

from elbow_jax import explain
from elbow_jax.scoring import ReleasedModel, member_variables


class HeatMapper:
    """Makes the heat map of one image at a time.

    The map of an ensemble is the mean of its members' maps, each divided by its own maximum, so
    that no member counts for more because its logits are larger.

    Args:
        released: the model.
        method: one of `reading_room.inference.METHODS`.

    Raises:
        ConfigError: if the network has no feature map, or one of a single pixel.
    """

    def __init__(self, released: ReleasedModel, method: str) -> None:
        card = released.card
        self._method = method
        networks = (
            [released.variables]
            if card.members is None
            else [member_variables(released.variables, index) for index in range(card.members)]
        )
        self._explainers = [
            explain.Explainer(card, variables, [method], 1) for variables in networks
        ]

    def heat(self, batch: dict[str, Any], name: str) -> Float32[np.ndarray, "size size"]:
        """Return the map of the only image of a batch, not negative; ``name`` is for the error.

        Raises `UserError` if the network gives nan or an infinite number.
        """
        maps = []
        for explainer in self._explainers:
            (explained,) = explainer.explain([batch], lambda _: name)
            maps.append(explained.maps[self._method])
        if len(maps) == 1:
            return maps[0]
        scaled = [values / max(float(values.max()), np.finfo(np.float32).tiny) for values in maps]
        return np.stack(scaled).mean(axis=0, dtype=np.float32)
