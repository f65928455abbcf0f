"""MobileNetV3-Large (Howard et al., 2019, arXiv:1905.02244), as timm's `mobilenetv3_large_100`.

The paper adds one convolution to the network, 960 -> 768 channels, and CBAM after it.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from elbow_jax.models.cbam import CBAM
from elbow_jax.models.layers import ConvNorm, DropPath, SqueezeExcite, divisible
from elbow_jax.ops import spatial_mean


@dataclass(frozen=True)
class Block:
    """One row of Table 1 in Howard et al.: kernel, widths, gate, non-linearity, stride."""

    kernel_size: int
    expanded: int
    features: int
    squeeze: bool
    hard_swish: bool
    stride: int


@dataclass(frozen=True)
class Variant:
    """The stem's width, the stages, and the widths at the end."""

    stem: int
    stages: tuple[tuple[Block, ...], ...]
    last: int
    features: int


VARIANTS = {
    "full": Variant(
        stem=16,
        stages=(
            (Block(3, 16, 16, False, False, 1),),
            (Block(3, 64, 24, False, False, 2), Block(3, 72, 24, False, False, 1)),
            (
                Block(5, 72, 40, True, False, 2),
                Block(5, 120, 40, True, False, 1),
                Block(5, 120, 40, True, False, 1),
            ),
            (
                Block(3, 240, 80, False, True, 2),
                Block(3, 200, 80, False, True, 1),
                Block(3, 184, 80, False, True, 1),
                Block(3, 184, 80, False, True, 1),
            ),
            (Block(3, 480, 112, True, True, 1), Block(3, 672, 112, True, True, 1)),
            (
                Block(5, 672, 160, True, True, 2),
                Block(5, 960, 160, True, True, 1),
                Block(5, 960, 160, True, True, 1),
            ),
        ),
        last=960,
        features=768,
    ),
    # Four halvings in place of five: a 128-pixel radiograph still ends as an 8 x 8 map.
    "small": Variant(
        stem=16,
        stages=(
            (Block(3, 16, 16, False, False, 1),),
            (Block(3, 48, 24, False, False, 2),),
            (Block(5, 72, 40, True, False, 2), Block(5, 120, 40, True, False, 1)),
            (Block(3, 160, 64, True, True, 2), Block(3, 192, 64, True, True, 1)),
        ),
        last=256,
        features=192,
    ),
}


class MobileNetV3(nn.Module):
    """Stem, inverted residuals, last convolution, the paper's convolution and CBAM, mean.

    A width equal to that of the last convolution omits the paper's convolution.
    """

    variant: Variant
    features: int = 768
    cbam: bool = True
    drop_path: float = 0.0
    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], train: bool = False
    ) -> tuple[Float[Array, "b h_out w_out f"], Float[Array, "b f"]]:
        """The last feature map and its mean over the image."""

        def conv_norm(width: int, kernel_size: int, stride: int, name: str) -> ConvNorm:
            return ConvNorm(
                width,
                kernel_size,
                stride,
                epsilon=self.epsilon,
                activation=nn.hard_swish,
                dtype=self.dtype,
                name=name,
            )

        total = sum(len(stage) for stage in self.variant.stages)
        done = 0
        x = conv_norm(self.variant.stem, 3, 2, "stem")(image, train)
        for number, stage in enumerate(self.variant.stages):
            for position, block in enumerate(stage):
                rate, name = self.drop_path * done / total, f"stage{number}_block{position}"
                x = InvertedResidual(block, rate, self.epsilon, self.dtype, name=name)(x, train)
                done += 1
        x = conv_norm(self.variant.last, 1, 1, "last")(x, train)
        if self.features != self.variant.last:
            x = conv_norm(self.features, 1, 1, "narrow")(x, train)
        if self.cbam:
            x = CBAM(dtype=self.dtype, name="cbam0")(x, train)
        return x, spatial_mean(x)[:, 0, 0]


class InvertedResidual(nn.Module):
    """Widen, convolve each channel by itself, gate, project; a residual where shapes agree."""

    block: Block
    drop_path: float = 0.0
    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h_out w_out f"]:
        """Apply the block to a feature map."""
        block, shortcut = self.block, x
        activation = nn.hard_swish if block.hard_swish else nn.relu
        if block.expanded != x.shape[-1]:
            x = ConvNorm(
                block.expanded,
                epsilon=self.epsilon,
                activation=activation,
                dtype=self.dtype,
                name="expand",
            )(x, train)
        x = ConvNorm(
            block.expanded,
            block.kernel_size,
            block.stride,
            depthwise=True,
            epsilon=self.epsilon,
            activation=activation,
            dtype=self.dtype,
            name="depthwise",
        )(x, train)
        if block.squeeze:
            reduced = divisible(block.expanded / 4)
            x = SqueezeExcite(reduced, nn.relu, nn.hard_sigmoid, self.dtype, name="squeeze")(x)
        x = ConvNorm(block.features, epsilon=self.epsilon, dtype=self.dtype, name="project")(
            x, train
        )
        if x.shape == shortcut.shape:
            x = shortcut + DropPath()(x, self.drop_path, train)
        return x
