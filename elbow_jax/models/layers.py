"""The layers that the three backbones share, with the names that porting maps."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from elbow_jax.models import ops

Activation = Callable[[Array], Array]
Initializer = Callable[..., Array]

fan_out_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def identity(x: Shaped[Array, "..."]) -> Shaped[Array, "..."]:
    """No activation."""
    return x


def per_channel(x: Float[Array, "c"], like: Float[Array, "..."]) -> Float[Array, "..."]:
    """A vector over channels, shaped to broadcast over an array whose channels come last."""
    return x.reshape((1,) * (like.ndim - 1) + (-1,)).astype(like.dtype)


class Convolution(nn.Module):
    """A convolution: ordinary, depthwise (`depthwise=True`) or 1 x 1, with or without a bias."""

    features: int
    kernel_size: int = 1
    stride: int = 1
    padding: ops.Padding = "symmetric"
    depthwise: bool = False
    use_bias: bool = False
    kernel_init: Initializer = fan_out_normal
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h_out w_out features"]:
        """Convolve; the kernel is `[k, k, c_in, c_out]`, `[k, k, 1, c]` where depthwise."""
        size, channels = self.kernel_size, 1 if self.depthwise else x.shape[-1]
        kernel = self.param("kernel", self.kernel_init, (size, size, channels, self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if self.depthwise:
            x = ops.depthwise_convolution(x, kernel, self.stride, self.padding)
        elif size == 1 and self.stride == 1:
            x = ops.pointwise_convolution(x, kernel[0, 0])
        else:
            x = ops.convolution(x, kernel, self.stride, self.padding)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            x = x + per_channel(bias, x)
        return x


class Dense(nn.Module):
    """A matrix product and, unless told otherwise, a bias."""

    features: int
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b features"]:
        """Multiply the last axis; the kernel is `[c_in, c_out]`."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        x = ops.pointwise_convolution(x.astype(self.dtype), kernel.astype(self.dtype))
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            x = x + per_channel(bias, x)
        return x


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy, 2015, arXiv:1502.03167), statistics in float32.

    The running variance is the biased one, where torch keeps n / (n - 1) of it.
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"], train: bool) -> Float[Array, "*b c"]:
        """Normalise each channel over everything else; training updates `batch_stats`."""
        shape = (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        variance = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        scale = self.param("scale", nn.initializers.ones, shape)
        bias = self.param("bias", nn.initializers.zeros, shape)
        centre, spread = mean.value, variance.value
        if train:
            axes = tuple(range(x.ndim - 1))
            wide = x.astype(jnp.float32)
            centre = wide.mean(axes)
            spread = jnp.maximum(jnp.square(wide).mean(axes) - jnp.square(centre), 0.0)
            if not self.is_initializing():
                mean.value = self.momentum * mean.value + (1 - self.momentum) * centre
                variance.value = self.momentum * variance.value + (1 - self.momentum) * spread
        slope = scale * jax.lax.rsqrt(spread + self.epsilon)
        shift = bias - centre * slope
        return (x * per_channel(slope, x) + per_channel(shift, x)).astype(self.dtype)


class ConvNorm(nn.Module):
    """Convolution, batch normalisation, activation."""

    features: int
    kernel_size: int = 1
    stride: int = 1
    padding: ops.Padding = "symmetric"
    depthwise: bool = False
    epsilon: float = 1e-5
    activation: Activation = identity
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], train: bool
    ) -> Float[Array, "b h_out w_out features"]:
        """Apply the three in turn."""
        x = Convolution(
            self.features,
            self.kernel_size,
            self.stride,
            self.padding,
            self.depthwise,
            dtype=self.dtype,
            name="conv",
        )(x)
        x = BatchNorm(self.epsilon, dtype=self.dtype, name="norm")(x, train)
        return self.activation(x)


class SqueezeExcite(nn.Module):
    """A gate for each channel from its mean (Hu et al., 2018, arXiv:1709.01507)."""

    reduced: int
    activation: Activation = nn.relu
    gate: Activation = nn.sigmoid
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Multiply each channel by its gate in 0..1."""
        squeezed = spatial_mean(x)
        squeezed = Dense(self.reduced, dtype=self.dtype, name="reduce")(squeezed)
        squeezed = self.activation(squeezed)
        squeezed = Dense(x.shape[-1], dtype=self.dtype, name="expand")(squeezed)
        return x * self.gate(squeezed)[:, None, None, :]


class DropPath(nn.Module):
    """Stochastic depth: drop a residual branch for some images (Huang et al., 2016)."""

    rate: float

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], train: bool) -> Float[Array, "b h w c"]:
        """Zero whole images with probability `rate` and scale the others up."""
        if not train or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        kept = jax.random.bernoulli(self.make_rng("dropout"), keep, (x.shape[0], 1, 1, 1))
        return jnp.where(kept, x / keep, jnp.zeros((), x.dtype))


def spatial_mean(x: Float[Array, "b h w c"]) -> Float[Array, "b c"]:
    """The mean over rows and columns, in float32."""
    return x.astype(jnp.float32).mean((1, 2))


def divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, never more than a tenth below (MobileNet's rounding)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded
