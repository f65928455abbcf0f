"""EfficientNetV2-S (Tan & Le, 2021, arXiv:2104.00298), as timm's `tf_efficientnetv2_s`.

The paper puts CBAM between the fused and the depthwise stages and after the final convolution,
which it narrows from 1280 to 768 channels.
"""

from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from elbow_jax.models.cbam import CBAM
from elbow_jax.models.layers import ConvNorm, DropPath, SqueezeExcite
from elbow_jax.ops import Padding, repeated, silu, spatial_mean


@dataclass(frozen=True)
class StageShape:
    """One row of the table in Tan & Le: kind of block, blocks, width, first stride, expansion."""

    kind: Literal["plain", "fused", "depthwise"]
    depth: int
    width: int
    stride: int
    expansion: int


@dataclass(frozen=True)
class Variant:
    """The stem's width, the stages, and the width of the final convolution."""

    stem: int
    stages: tuple[StageShape, ...]
    features: int


VARIANTS = {
    "full": Variant(
        stem=24,
        stages=(
            StageShape("plain", 2, 24, 1, 1),
            StageShape("fused", 4, 48, 2, 4),
            StageShape("fused", 4, 64, 2, 4),
            StageShape("depthwise", 6, 128, 2, 4),
            StageShape("depthwise", 9, 160, 1, 6),
            StageShape("depthwise", 15, 256, 2, 6),
        ),
        features=768,
    ),
    # Four halvings in place of five: a 128-pixel radiograph still ends as an 8 x 8 map.
    "small": Variant(
        stem=16,
        stages=(
            StageShape("plain", 1, 16, 1, 1),
            StageShape("fused", 1, 24, 2, 3),
            StageShape("fused", 2, 48, 2, 3),
            StageShape("depthwise", 3, 64, 2, 3),
        ),
        features=192,
    ),
}


EPSILON = 1e-3  # of the batch normalisation, in timm and in torchvision
NATIVE_FEATURES = 1280  # the final convolution as published


class EfficientNetV2(nn.Module):
    """Stem, fused stages, CBAM, depthwise stages, final convolution, CBAM, mean."""

    variant: Variant
    features: int = 768
    cbam: bool = True
    drop_path: float = 0.0
    padding: Padding = "same"
    scan_blocks: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], train: bool = False
    ) -> tuple[Float[Array, "b h_out w_out f"], Float[Array, "b f"]]:
        """The last feature map and its mean over the image."""
        stages = self.variant.stages
        total = sum(stage.depth for stage in stages)
        rates = self.drop_path * jnp.arange(total) / total
        x = _conv_norm(self, self.variant.stem, 3, 2, name="stem")(image, train)
        for number, stage in enumerate(stages):
            if self.cbam and stage.kind == "depthwise" and stages[number - 1].kind == "fused":
                x = CBAM(dtype=self.dtype, name="cbam0")(x, train)
            first = sum(stage.depth for stage in stages[:number])
            drops, name = self.drop_path > 0.0, f"stage{number}"
            x = Stage(stage, drops, self.padding, self.scan_blocks, self.dtype, name=name)(
                x, rates[first : first + stage.depth], train
            )
        x = _conv_norm(self, self.features, 1, name="last")(x, train)
        if self.cbam:
            x = CBAM(dtype=self.dtype, name="cbam1")(x, train)
        return x, spatial_mean(x)[:, 0, 0]


class Stage(nn.Module):
    """A first block that may change the shape, followed by equal blocks."""

    shape: StageShape
    drops: bool
    padding: Padding
    scan_blocks: bool
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], rates: Float[Array, "depth"], train: bool
    ) -> Float[Array, "b h_out w_out c_out"]:
        """Apply the stage to a feature map; `rates` are its blocks' rates of stochastic depth."""
        x, _ = Block(
            self.shape, self.shape.stride, self.drops, self.padding, self.dtype, name="first"
        )(x, rates[0], train)
        if self.shape.depth == 1:
            return x
        blocks = repeated(Block, self.shape.depth - 1, self.scan_blocks)
        x, _ = blocks(self.shape, 1, self.drops, self.padding, self.dtype, name="rest")(
            x, rates[1:], train
        )
        return x


class Block(nn.Module):
    """One block of any kind; a residual where shapes agree.

    `plain` is one 3 x 3 convolution; `fused` widens by a 3 x 3 convolution and projects;
    `depthwise` widens, convolves each channel by itself, gates and projects.
    """

    shape: StageShape
    stride: int
    drops: bool
    padding: Padding
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], rate: Float[Array, ""], train: bool
    ) -> tuple[Float[Array, "b h_out w_out c_out"], None]:
        """Apply the block; the second value is the output that a scan stacks: none."""
        shape, shortcut = self.shape, x
        widened = x.shape[-1] * shape.expansion
        if shape.kind == "plain":
            x = _conv_norm(self, shape.width, 3, self.stride, name="conv")(x, train)
        elif shape.kind == "fused":
            x = _conv_norm(self, widened, 3, self.stride, name="expand")(x, train)
            x = checkpoint_name(x, "expanded")
        else:
            x = _conv_norm(self, widened, 1, name="expand")(x, train)
            x = _conv_norm(self, widened, 3, self.stride, depthwise=True, name="depthwise")(
                x, train
            )
            reduced = shortcut.shape[-1] // 4
            x = SqueezeExcite(reduced, silu, nn.sigmoid, self.dtype, name="squeeze")(x)
        if shape.kind != "plain":
            x = ConvNorm(shape.width, epsilon=EPSILON, dtype=self.dtype, name="project")(x, train)
        if x.shape == shortcut.shape:
            if self.drops:
                x = DropPath()(x, rate, train)
            x = shortcut + x
        return x, None


def _conv_norm(
    parent: EfficientNetV2 | Block,
    width: int,
    kernel_size: int,
    stride: int = 1,
    *,
    depthwise: bool = False,
    name: str,
) -> ConvNorm:
    """A convolution, its normalisation and a SiLU, padded as the parent says."""
    return ConvNorm(
        width,
        kernel_size,
        stride,
        parent.padding,
        depthwise,
        EPSILON,
        silu,
        parent.dtype,
        name=name,
    )
