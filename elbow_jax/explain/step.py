"""One pure function for all methods that are asked for: variables and a batch to heat maps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, UInt8

from elbow_jax.explain.class_activation import (
    enlarge,
    enlarge_density,
    grad_cam,
    hires_cam,
)
from elbow_jax.explain.feature_maps import (
    FeatureMaps,
    Layer,
    feature_maps,
    logits_of_backbones,
)
from elbow_jax.explain.integrated_gradients import integrated_gradients
from elbow_jax.explain.names import STEPS
from elbow_jax.explain.occlusion import occlusion
from elbow_jax.steps import normalise

_ACTIVATION = {"grad_cam": grad_cam, "hires_cam": hires_cam}

Maps = dict[str, Float32[Array, "b size size"]]


class Explanation(NamedTuple):
    """The result of a step.

    Attributes:
        logits: of injury, [B].
        maps: evidence for injury, never negative, by the name of their set (`sets_of`).
        gates: CBAM's gates of the pixels by their path, each of its own size.
        attributed: the sum of the integrated gradients of all pixels, [B]; 0 without that method.
        difference: what it should be: the logit minus that of the black image, [B].
    """

    logits: Float32[Array, " b"]
    maps: Maps
    gates: dict[str, Float32[Array, "b h w"]]
    attributed: Float32[Array, " b"]
    difference: Float32[Array, " b"]


def make_explain_step(
    module: nn.Module, methods: Sequence[str], layers: Mapping[str, Layer], steps: int = STEPS
) -> Callable[[Any, Mapping[str, Array]], Explanation]:
    """Return the pure function ``explain_step(variables, batch) -> Explanation``, in float32.

    ``batch["image"]`` is uint8 [B, S, S, 1].

    Args:
        module: the network.
        methods: some of `METHODS`.
        layers: those whose output counts as the feature map: see `feature_layers`.
        steps: points of the path of integrated gradients.
    """

    def explain_step(variables: Any, batch: Mapping[str, Array]) -> Explanation:
        grey = batch["image"]
        image = normalise(grey)
        found = feature_maps(module, variables, image, layers)
        maps: Maps = {}
        attributed = difference = jnp.zeros_like(found.logits)
        for method in methods:
            if method in _ACTIVATION:
                maps |= _activations(method, found, grey.shape[1])
            elif method == "occlusion":

                def logits_of(image: Array) -> Array:
                    result: Any = module.apply(variables, image, train=False)
                    return result[0]

                maps[method] = occlusion(logits_of, image, found.logits)
            else:
                gradients, attributed, difference = _gradients(
                    module, variables, grey, found.logits, list(layers), steps
                )
                maps |= gradients
        positive = {name: jnp.maximum(values, 0.0) for name, values in maps.items()}
        return Explanation(found.logits, positive, found.gates, attributed, difference)

    return explain_step


def _activations(method: str, found: FeatureMaps, size: int) -> Maps:
    """Return a class activation map of each backbone and, for several, of them together.

    A single map loses its negative part before it is enlarged, as usual. Those of several backbones
    are added with their signs: what one backbone says against injury counts against the others.
    """
    signed = {
        name: _ACTIVATION[method](found.maps[name], found.gradients[name]) for name in found.maps
    }
    each = {
        f"{method}_{name}": enlarge(jnp.maximum(values, 0.0), size)
        for name, values in signed.items()
    }
    if len(signed) == 1:
        return {method: next(iter(each.values()))}
    return {method: sum_of(enlarge_density(values, size) for values in signed.values()), **each}


def _gradients(
    module: nn.Module,
    variables: Any,
    grey: UInt8[Array, "b size size 1"],
    logits: Float32[Array, " b"],
    backbones: Sequence[str],
    steps: int,
) -> tuple[Maps, Float32[Array, " b"], Float32[Array, " b"]]:
    """Return integrated gradients of each backbone and of all, their sum, and what it should be."""
    image, black = normalise(grey), normalise(jnp.zeros_like(grey))

    def logits_of(images: Any) -> Array:
        return logits_of_backbones(module, variables, images)

    images, baselines = (dict.fromkeys(backbones, values) for values in (image, black))
    parts: Any = integrated_gradients(logits_of, images, baselines, steps)
    parts = {name: values.sum(axis=-1) for name, values in parts.items()}
    whole = sum_of(parts.values())
    maps = {"integrated_gradients": whole}
    if len(parts) > 1:
        maps |= {f"integrated_gradients_{name}": values for name, values in parts.items()}
    return maps, whole.sum(axis=(1, 2)), logits - logits_of(baselines)


def sum_of(arrays: Any) -> Array:
    """Return the sum of arrays of one shape."""
    return jax.tree.reduce(jnp.add, list(arrays))
