"""Auxiliary targets of training: what a radiograph shows and where, beside its label.

One bit an image teaches a network slowly what a fracture is. Small heads on the network's features
predict body part, finding and place too (Szegedy et al., 2015, arXiv 1409.4842, call them auxiliary
classifiers); they are trained with it, and are not part of the released model.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Float32

HEADS = "auxiliary"
"""The group of parameters that holds the heads, beside those of the network."""

_DEVIATION = 0.01  # of the initial weights, as in the network's own head
_RARE = -3.0  # initial logit of a place: few cells of a map show an injury


def initial_heads(
    key: Array, endpoints: Mapping[str, Any], classes: Mapping[str, tuple[str, ...]], place: bool
) -> dict[str, Any]:
    """Return the initial parameters of the heads.

    Args:
        key: random.
        endpoints: of the network, or their shapes: `features` [B, C] and `feature_map`
            [B, h, w, D].
        classes: the classes of each target that is a class.
        place: whether there is a head for the place.
    """
    outputs = {name: (endpoints["features"], len(names)) for name, names in classes.items()}
    if place:
        outputs["place"] = (endpoints["feature_map"], 1)
    heads = {}
    for number, (name, (features, width)) in enumerate(sorted(outputs.items())):
        shape = (features.shape[-1], width)
        kernel = _DEVIATION * jax.random.normal(jax.random.fold_in(key, number), shape)
        heads[name] = {
            "kernel": kernel,
            "bias": jnp.full(width, _RARE if name == "place" else 0.0, jnp.float32),
        }
    return heads


def without_heads(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's variables without the heads."""
    params = {name: group for name, group in variables["params"].items() if name != HEADS}
    return {**variables, "params": params}


def auxiliary_loss(
    heads: Mapping[str, Any],
    endpoints: Mapping[str, Array],
    batch: Mapping[str, Array],
    weights: Mapping[str, float],
) -> Float32[Array, ""]:
    """Return the weighted sum of the losses of the auxiliary targets.

    ``finding`` and ``body_part``: mean cross-entropy. ``place``: the sigmoid cross-entropy of each
    cell of the feature map, summed over the cells and averaged over the images; an injured image
    whose place is unknown or beyond the edge does not count.

    Args:
        heads: as of `initial_heads`.
        endpoints: of the network.
        batch: with the entries of `AuxiliaryTargets.batch`, ``label`` and ``weight``.
        weights: of the losses.
    """
    total = jnp.zeros((), jnp.float32)
    for name, weight in weights.items():
        source = endpoints["feature_map" if name == "place" else "features"].astype(jnp.float32)
        bias = jnp.expand_dims(heads[name]["bias"], range(source.ndim - 1))
        logits = source @ heads[name]["kernel"] + bias
        if name == "place":
            loss, counted = _place_loss(logits[..., 0], batch)
        else:
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, batch[name])
            counted = batch["weight"]
        total += weight * jnp.sum(loss * counted) / jnp.maximum(jnp.sum(counted), 1.0)
    return total


def place_map(
    place: Float32[Array, "batch places 2"], height: int, width: int
) -> Float32[Array, "batch height width"]:
    """Return how much of each place is in each cell of a map.

    A place counts for the four cells around it, by bilinear weights; of several places the largest
    weight counts. NaN is no place.
    """
    columns = jnp.arange(width).reshape(1, 1, width) + 0.5
    rows = jnp.arange(height).reshape(1, 1, height) + 0.5
    near_x = jax.nn.relu(1 - jnp.abs(place[..., 0, None] * width - columns))
    near_y = jax.nn.relu(1 - jnp.abs(place[..., 1, None] * height - rows))
    near = near_y[..., :, None] * near_x[..., None, :]
    return jnp.nan_to_num(near).max(axis=1)


def _place_loss(
    logits: Float32[Array, "batch height width"], batch: Mapping[str, Array]
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """Return the loss of each image, and whether it counts."""
    wanted = place_map(batch["place"], logits.shape[1], logits.shape[2])
    loss = optax.sigmoid_binary_cross_entropy(logits, wanted).sum(axis=(1, 2))
    known = (batch["label"] == 0) | (wanted.max(axis=(1, 2)) > 0)
    return loss, batch["weight"] * known
