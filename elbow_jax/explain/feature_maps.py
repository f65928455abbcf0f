"""A network's feature maps before pooling, its logit's gradients to them, and CBAM's gates.

The networks return their feature maps among the endpoints. Here an offset of zeros is added to each
on its way through the network, so that one forward pass and the short way back from the logit to
the map give value and gradient; the convolutions before the map are not differentiated.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from elbow_jax.models import BACKBONES

Layer = tuple[str, ...]
"""The path of a module in its network, as in its parameters."""

_GATE = ("spatial", "conv")  # of CBAM: its output, through a sigmoid, is the gate of each pixel


class FeatureMaps(NamedTuple):
    """What a forward pass and the way back to the feature maps give.

    Maps and gradients are by backbone: the names of `elbow_jax.models.BACKBONES` in the fusion
    network, ``backbone`` in the others.

    Attributes:
        logits: of injury, float32 [B].
        maps: feature maps, [B, h, w, C]; their sizes may differ.
        gradients: of the logit, with respect to each map.
        gates: CBAM's gates of the pixels, 0..1, [B, h, w], by the path of the CBAM, such as
            ``backbone/cbam0``; none in a network without CBAM.
    """

    logits: Float[Array, "b"]
    maps: dict[str, Float[Array, "b h w c"]]
    gradients: dict[str, Float[Array, "b h w c"]]
    gates: dict[str, Float[Array, "b h_gate w_gate"]]


def feature_layers(module: nn.Module, variables: Any, image: Any) -> dict[str, Layer]:
    """Return, for each backbone, the layer whose output is its feature map; nothing is computed.

    Args:
        module: the network.
        variables: of the network, arrays or their shapes.
        image: the input [B, H, W, C], an array or its shape.

    Raises:
        ValueError: if the network returns no feature map, or one of a single pixel, which shows no
            place.
    """
    found: dict[str, Layer] = {}

    def trace(variables: Any, image: Any) -> dict[str, Array]:
        outputs: list[tuple[Layer, Any]] = []

        def record(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            output = call(*args, **kwargs)
            outputs.append((context.module.path, output))
            return output

        with nn.intercept_methods(record):
            _, endpoints = _apply(module, variables, image)
        maps = _maps_of(endpoints)
        for name, feature_map in maps.items():
            # CBAM returns the output of its own spatial gate: the outer layer is meant.
            layers = [layer for layer, output in outputs if output is feature_map]
            if layers:
                found[name] = min(layers, key=len)
        return maps

    shapes = jax.eval_shape(trace, variables, image)
    if not shapes or found.keys() != shapes.keys():
        raise ValueError("the network returns no feature map, so no heat map can be made of it")
    for name, shape in shapes.items():
        height, width = shape.shape[1:3]
        if min(height, width) < 2:
            raise ValueError(
                f"an image of {image.shape[1]} x {image.shape[2]} pixels is too small: the feature "
                f"map of {name} has {height} x {width} pixels, which shows no place"
            )
    return found


def feature_maps(
    module: nn.Module,
    variables: Any,
    image: Float[Array, "b h w c"],
    layers: Mapping[str, Layer],
) -> FeatureMaps:
    """Return the feature maps of images and the gradients of their logits to them.

    Args:
        module: the network.
        variables: of the network.
        image: normalised intensities.
        layers: those whose output counts as the feature map, by backbone: see `feature_layers`. An
            earlier one may stand for the last.
    """
    names = {layer: name for name, layer in layers.items()}

    def run(offsets: Any) -> tuple[Array, FeatureMaps]:
        maps: dict[str, Array] = {}
        gates: dict[str, Array] = {}

        def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            output = call(*args, **kwargs)
            layer = context.module.path
            if context.method_name != "__call__":
                return output
            if layer[-2:] == _GATE:
                gates["/".join(layer[:-2])] = nn.sigmoid(output[..., 0]).astype(jnp.float32)
            if layer in names:
                name = names[layer]
                maps[name] = output
                return output if offsets is None else output + offsets[name]
            return output

        with nn.intercept_methods(intercept):
            logits, _ = _apply(module, variables, image)
        return logits.sum(), FeatureMaps(logits, maps, {}, gates)

    shapes = jax.eval_shape(lambda: run(None)[1].maps)
    offsets = {name: jnp.zeros(shape.shape, shape.dtype) for name, shape in shapes.items()}
    gradients, found = jax.grad(run, has_aux=True)(offsets)
    return found._replace(gradients=gradients)


def logits_of_backbones(
    module: nn.Module, variables: Any, images: Mapping[str, Float[Array, "b h w c"]]
) -> Float[Array, "b"]:
    """Return the logits of a network each of whose backbones sees an image of its own.

    With one image for all they are the network's. Their gradients say what each backbone adds.

    Args:
        module: the network.
        variables: of the network.
        images: normalised intensities, by backbone.
    """

    def intercept(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        layer = context.module.path
        if len(layer) == 1 and layer[0] in images and context.method_name == "__call__":
            return call(images[layer[0]], *args[1:], **kwargs)
        return call(*args, **kwargs)

    with nn.intercept_methods(intercept):
        logits, _ = _apply(module, variables, next(iter(images.values())))
    return logits


def _apply(module: nn.Module, variables: Any, image: Any) -> tuple[Array, dict[str, Any]]:
    result: Any = module.apply(variables, image, train=False)
    return result


def _maps_of(endpoints: Mapping[str, Any]) -> dict[str, Array]:
    """Return the feature maps among the endpoints of a network, by backbone."""
    if "feature_map" in endpoints:
        return {"backbone": endpoints["feature_map"]}
    return {name: endpoints[name]["feature_map"] for name in BACKBONES if name in endpoints}
