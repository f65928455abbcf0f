"""The sets of maps that each method gives for a network."""

from collections.abc import Sequence

from elbow_jax.models import BACKBONES, Backbone

_OF_BACKBONES = ("grad_cam", "hires_cam", "integrated_gradients")  # in the fusion network too


def sets_of(method: str, backbone: Backbone) -> dict[str, str]:
    """Return the sets of maps of a method by name, and the part of the network that each explains.

    The first is that of the whole network, whose part is an empty text. The fusion network has one
    for each of its backbones besides, but for occlusion, which hides a patch from all of them.
    """
    parts: Sequence[str] = BACKBONES if backbone == "fusion" and method in _OF_BACKBONES else ()
    return {method: ""} | {f"{method}_{part}": part for part in parts}
