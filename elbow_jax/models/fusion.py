"""The paper's ensemble: three backbones, their vectors concatenated, one small network on top."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from elbow_jax.models.classifier import check_image
from elbow_jax.models.config import BACKBONES
from elbow_jax.models.layers import BatchNorm, Dense, normal


class Fusion(nn.Module):
    """Concatenate, normalise, drop out, two linear layers."""

    convnext_tiny: nn.Module
    efficientnetv2_s: nn.Module
    mobilenetv3_large: nn.Module
    in_channels: int = 1
    dropout: float = 0.3

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], train: bool = False
    ) -> tuple[Float[Array, "b"], dict[str, Any]]:
        """Logits of injury, and endpoints.

        `features` is the concatenated vector `[B, 3 F]`; under each backbone's name are its own
        `feature_map` and `features`, for the three maps need not have one size.

        Args:
            image: normalised intensities; any size of at least 32 pixels a side.
            train: whether dropout is on and batch statistics are the batch's own.

        Raises:
            ValueError: the image is too small or has another number of channels.
        """
        check_image(image, self.in_channels)
        endpoints: dict[str, Any] = {}
        for name in BACKBONES:
            feature_map, features = getattr(self, name)(image, train)
            endpoints[name] = {"feature_map": feature_map, "features": features}
        endpoints["features"] = jnp.concatenate(
            [endpoints[name]["features"] for name in BACKBONES], axis=-1
        )
        return FusionHead(self.dropout, name="head")(endpoints["features"], train), endpoints


class FusionHead(nn.Module):
    """Normalisation, dropout and two linear layers, in float32.

    Batch normalisation puts every feature on one scale, so that no backbone dominates.
    """

    dropout: float

    @nn.compact
    def __call__(self, x: Float[Array, "b f"], train: bool) -> Float[Array, "b"]:
        """Logits from the concatenated vector; the hidden layer is a ninth as wide."""
        x = BatchNorm(x.shape[-1], name="norm")(x, train)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        x = nn.relu(Dense(x.shape[-1] // 9, normal((2 / x.shape[-1]) ** 0.5), name="hidden")(x))
        return Dense(1, normal(0.01), name="logit")(x)[:, 0]


def fuse_variables(
    variables: Mapping[str, Any], trained: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Variables of a fusion network whose backbones are those of three trained networks.

    Args:
        variables: the fusion network's own, for its head.
        trained: the variables of a trained network for each name of `BACKBONES`.

    Raises:
        ValueError: a network is missing or surplus, or its backbone differs in a path or shape.
    """
    if set(trained) != set(BACKBONES):
        raise ValueError(f"fusion: needs {', '.join(BACKBONES)}; got {', '.join(sorted(trained))}")
    fused = {collection: dict(tree) for collection, tree in variables.items()}
    for name in BACKBONES:
        for collection in fused:
            # Without CBAM, ConvNeXt has no statistics.
            own = fused[collection].get(name, {})
            other = trained[name].get(collection, {}).get("backbone", {})
            _check_same(own, other, f"{name}: {collection}")
            if own:
                fused[collection][name] = other
    return fused


def _check_same(own: Any, other: Any, where: str) -> None:
    shapes, others = (
        {jax.tree_util.keystr(path): leaf.shape for path, leaf in leaves}
        for leaves in (jax.tree.leaves_with_path(own), jax.tree.leaves_with_path(other))
    )
    for path in sorted(shapes.keys() | others.keys()):
        if shapes.get(path) != others.get(path):
            raise ValueError(
                f"fusion: {where}{path}: {others.get(path, 'absent')} in the trained network, "
                f"{shapes.get(path, 'absent')} here"
            )
