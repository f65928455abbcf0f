"""A backbone and a head: one logit for each image."""

import flax.linen as nn
from jaxtyping import Array, Float

from elbow_jax.models.layers import Dense, normal

SMALLEST_SIDE = 32


class Classifier(nn.Module):
    """Dropout and one linear layer on the vector of one backbone."""

    backbone: nn.Module
    in_channels: int = 1
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], train: bool = False
    ) -> tuple[Float[Array, "b"], dict[str, Float[Array, "b ..."]]]:
        """Logits of injury, and endpoints: `feature_map` before pooling, `features` after it.

        Args:
            image: normalised intensities; any size of at least 32 pixels a side.
            train: whether dropout is on and batch statistics are the batch's own.

        Raises:
            ValueError: the image is too small or has another number of channels.
        """
        check_image(image, self.in_channels)
        feature_map, features = self.backbone(image, train)
        x = nn.Dropout(self.dropout, deterministic=not train)(features)
        x = Dense(1, normal(0.01), name="head")(x)
        return x[:, 0], {"feature_map": feature_map, "features": features}


def check_image(image: Float[Array, "b h w c"], in_channels: int) -> None:
    """Raise ValueError for an image of the wrong size or number of channels."""
    _, height, width, channels = image.shape
    if channels != in_channels:
        raise ValueError(f"image: {channels} channels where the network takes {in_channels}")
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"image: {height} x {width} pixels, but a side needs at least {SMALLEST_SIDE}"
        )
