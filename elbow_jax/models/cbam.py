"""Convolutional block attention module (Woo et al., 2018, arXiv:1807.06521).

A gate for each channel is followed by a gate for each pixel. As in the authors' code, the
perceptron has no biases, and the spatial convolution is batch-normalised.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from elbow_jax.models.layers import ConvNorm, Convolution
from elbow_jax.ops import (
    channel_max,
    channel_mean,
    scale_channels,
    scale_pixels,
    spatial_max,
    spatial_mean,
)


class CBAM(nn.Module):
    """Channel attention followed by spatial attention."""

    reduction: int = 16
    kernel_size: int = 7
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w c"]:
        """Multiply a feature map by both gates."""
        x = ChannelGate(self.reduction, self.dtype, name="channel")(x)
        return SpatialGate(self.kernel_size, self.dtype, name="spatial")(x, train)


class ChannelGate(nn.Module):
    """One two-layer perceptron over both the mean and the maximum of each channel."""

    reduction: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Multiply each channel by its gate in 0..1."""
        channels = x.shape[-1]
        reduce = Convolution(channels // self.reduction, dtype=self.dtype, name="reduce")
        expand = Convolution(channels, dtype=self.dtype, name="expand")
        mean, peak = spatial_mean(x), spatial_max(x).astype(jnp.float32)
        gate = sum(expand(nn.relu(reduce(pooled))) for pooled in (mean, peak))
        return scale_channels(x, nn.sigmoid(gate))


class SpatialGate(nn.Module):
    """A convolution over the mean and the maximum of the channels at each pixel."""

    kernel_size: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w c"]:
        """Multiply each pixel by its gate in 0..1."""
        pooled = jnp.concatenate([channel_mean(x).astype(x.dtype), channel_max(x)], axis=-1)
        gate = ConvNorm(1, self.kernel_size, dtype=self.dtype, name="conv")(pooled, train)
        return scale_pixels(x, nn.sigmoid(gate))
