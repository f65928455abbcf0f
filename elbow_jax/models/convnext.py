"""ConvNeXt-Tiny (Liu et al., 2022, arXiv:2201.03545), as timm's `convnext_tiny`.

The paper puts CBAM after each of the four stages.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from elbow_jax.models.cbam import CBAM
from elbow_jax.models.layers import (
    Convolution,
    Dense,
    DropPath,
    LayerNorm,
    normal,
)
from elbow_jax.ops import gelu, repeated, spatial_mean


@dataclass(frozen=True)
class Variant:
    """The stem's patch in pixels, blocks and widths of the stages, initial scale of a branch."""

    stem: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    layer_scale: float

    @property
    def features(self) -> int:
        """Width of the pooled vector: that of the last stage."""
        return self.widths[-1]


VARIANTS = {
    "full": Variant(stem=4, depths=(3, 3, 9, 3), widths=(96, 192, 384, 768), layer_scale=1e-6),
    # In a short training from random weights a branch scaled by 1e-6 would stay inactive. Four
    # halvings in place of five: a thin line is lost in a stem of 4 x 4 pixels.
    "small": Variant(stem=2, depths=(1, 2, 2, 1), widths=(32, 64, 96, 192), layer_scale=0.1),
}


class ConvNeXt(nn.Module):
    """Stem, four stages each followed by CBAM, mean, layer normalisation."""

    variant: Variant
    cbam: bool = True
    drop_path: float = 0.0
    scan_blocks: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, image: Float[Array, "b h w c"], train: bool = False
    ) -> tuple[Float[Array, "b h_out w_out f"], Float[Array, "b f"]]:
        """The last feature map, and its normalised mean over the image."""
        depths, widths = self.variant.depths, self.variant.widths
        rates = self.drop_path * jnp.linspace(0.0, 1.0, sum(depths))
        x = _patches(widths[0], self.variant.stem, self.dtype, name="stem")(image)
        x = LayerNorm(dtype=self.dtype, name="stem_norm")(x)
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            first = sum(depths[:number])
            x = Stage(
                depth,
                width,
                self.variant.layer_scale,
                downsample=number > 0,
                drops=self.drop_path > 0.0,
                scan_blocks=self.scan_blocks,
                dtype=self.dtype,
                name=f"stage{number}",
            )(x, rates[first : first + depth], train)
            if self.cbam:
                x = CBAM(dtype=self.dtype, name=f"cbam{number}")(x, train)
        return x, LayerNorm(name="norm")(spatial_mean(x)[:, 0, 0])


class Stage(nn.Module):
    """Downsampling (layer normalisation, a strided convolution), followed by equal blocks."""

    depth: int
    width: int
    layer_scale: float
    downsample: bool
    drops: bool
    scan_blocks: bool
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], rates: Float[Array, "depth"], train: bool
    ) -> Float[Array, "b h_out w_out c_out"]:
        """Apply the stage to a feature map; `rates` are its blocks' rates of stochastic depth."""
        if self.downsample:
            x = LayerNorm(dtype=self.dtype, name="downsample_norm")(x)
            x = _patches(self.width, 2, self.dtype, name="downsample")(x)
        blocks = repeated(Block, self.depth, self.scan_blocks)
        x, _ = blocks(self.layer_scale, self.drops, self.dtype, name="blocks")(x, rates, train)
        return x


class Block(nn.Module):
    """A 7 x 7 depthwise convolution and a perceptron over the channels, four times wider."""

    layer_scale: float
    drops: bool
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], rate: Float[Array, ""], train: bool
    ) -> tuple[Float[Array, "b h w c"], None]:
        """Apply the block; the second value is the output that a scan stacks: none."""
        width, shortcut = x.shape[-1], x
        x = Convolution(
            width,
            7,
            depthwise=True,
            use_bias=True,
            kernel_init=normal(0.02),
            dtype=self.dtype,
            name="depthwise",
        )(x)
        x = LayerNorm(dtype=self.dtype, name="norm")(x)
        x = Dense(4 * width, dtype=self.dtype, name="expand")(x)
        x = gelu(x)
        scale = self.param("layer_scale", nn.initializers.constant(self.layer_scale), (width,))
        x = Dense(width, dtype=self.dtype, name="project")(x, scale)
        if self.drops:
            x = DropPath()(x, rate, train)
        return shortcut + x, None


def _patches(width: int, size: int, dtype: Any, name: str) -> Convolution:
    """A convolution over disjoint patches; an incomplete last row or column is dropped."""
    convolution = partial(Convolution, padding="valid", use_bias=True, kernel_init=normal(0.02))
    return convolution(width, size, size, dtype=dtype, name=name)
