"""Operations whose best form depends on the platform, and the one place that chooses the form.

`jax.lax.platform_dependent` chooses: an accelerator runs JAX's own operations, a CPU the forms of
`cpu/` (its README says what, why, and how each is verified). `repeated` stacks equal blocks.
"""

from elbow_jax.ops.activations import gelu, silu
from elbow_jax.ops.blocks import repeated
from elbow_jax.ops.convolution import convolution
from elbow_jax.ops.depthwise import depthwise_convolution
from elbow_jax.ops.normalisation import batch_norm, layer_norm
from elbow_jax.ops.padding import Padding
from elbow_jax.ops.pointwise import pointwise_convolution
from elbow_jax.ops.reductions import (
    add_bias,
    channel_max,
    channel_mean,
    pixel_sums,
    scale_channels,
    scale_pixels,
    spatial_max,
    spatial_mean,
)

__all__ = [
    "Padding",
    "add_bias",
    "batch_norm",
    "channel_max",
    "channel_mean",
    "convolution",
    "depthwise_convolution",
    "gelu",
    "layer_norm",
    "pixel_sums",
    "pointwise_convolution",
    "repeated",
    "scale_channels",
    "scale_pixels",
    "silu",
    "spatial_max",
    "spatial_mean",
]
