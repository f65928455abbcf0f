"""The layers that the three backbones share, with the names that porting maps."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float, PRNGKeyArray

from elbow_jax import ops

Activation = Callable[[Array], Array]
Initializer = Callable[..., Array]


def normal(deviation: float) -> Initializer:
    """Normally distributed values of a standard deviation."""

    def initializer(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
        return deviation * _standard_normal(key, shape)

    return initializer


def fan_out_normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    """Normally distributed values of variance 2 / fan-out (He et al., 2015, arXiv:1502.01852).

    The kernel is `[k, k, c_in, c_out]`. A depthwise kernel `[k, k, 1, c]` has a fan-out of one
    channel, as in timm.
    """
    outputs = 1 if shape[2] == 1 and shape[3] > 1 and shape[0] > 1 else shape[3]
    return math.sqrt(2.0 / (shape[0] * shape[1] * outputs)) * _standard_normal(key, shape)


def _standard_normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    # XLA compiles threefry again for every shape, about half a second each on a CPU. Its own
    # generator, seeded with the same words, initialises a network four times faster.
    words = jnp.tile(jax.random.key_data(key).ravel(), 4)[:4]
    return jax.random.normal(jax.random.wrap_key_data(words, impl="rbg"), shape)


def identity(x: Array) -> Array:
    """No activation."""
    return x


def per_channel(x: Float[Array, "c"], like: Float[Array, "..."]) -> Float[Array, "..."]:
    """A vector over channels, shaped to broadcast over an array whose channels come last."""
    return x.reshape((1,) * (like.ndim - 1) + (-1,))


def divisible(channels: int | float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, never more than a tenth below (MobileNet's rounding)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


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
    def __call__(
        self, x: Float[Array, "b h w c"], epilogue: Activation | None = None
    ) -> Float[Array, "b h_out w_out c_out"]:
        """Convolve and apply `epilogue`, an elementwise function, where one is given.

        The kernel is `[k, k, c_in, c_out]`, `[k, k, 1, c]` where depthwise.
        """
        size, channels = self.kernel_size, 1 if self.depthwise else x.shape[-1]
        kernel = self.param("kernel", self.kernel_init, (size, size, channels, self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if self.depthwise and not self.use_bias:
            x = ops.depthwise_convolution(x, kernel, self.stride, self.padding, epilogue)
            return checkpoint_name(x, "product")
        if self.depthwise:
            x = ops.depthwise_convolution(x, kernel, self.stride, self.padding)
        elif size == 1 and self.stride == 1:
            x = ops.pointwise_convolution(x, kernel[0, 0])
        else:
            x = ops.convolution(x, kernel, self.stride, self.padding)
        if self.use_bias:
            x = ops.add_bias(x, self.param("bias", nn.initializers.zeros, (self.features,)))
        x = checkpoint_name(x, "product")
        return x if epilogue is None else epilogue(x)


class Dense(nn.Module):
    """A matrix product over the last axis plus a bias; scaled by channel where a scale is given."""

    features: int
    kernel_init: Initializer = normal(0.02)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "*b c"], scale: Float[Array, "c_out"] | None = None
    ) -> Float[Array, "*b c_out"]:
        """Multiply the last axis; the kernel is `[c_in, c_out]`."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        if scale is not None:
            # Scaling the kernel is cheaper than scaling the result. So is its gradient: that of a
            # scaled result would need the product a second time.
            kernel, bias = kernel * scale[None], bias * scale
        x = ops.pointwise_convolution(x.astype(self.dtype), kernel.astype(self.dtype))
        return checkpoint_name(ops.add_bias(x, bias), "product")


class LayerNorm(nn.Module):
    """Layer normalisation over the channels (Ba et al., 2016, arXiv:1607.06450), in float32."""

    epsilon: float = 1e-6
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        """Normalise each vector of channels by its own mean and variance."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        normalised: Any = ops.layer_norm(x, scale, bias, self.epsilon)
        return normalised.astype(self.dtype)


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy, 2015, arXiv:1502.03167), in float32.

    The running variance is the biased one; torch stores n / (n - 1) times that. Mean and variance
    are computed in one pass over `x - running mean`, so that a large mean does not cost precision.
    """

    features: int
    epsilon: float = 1e-5
    momentum: float = 0.9
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Create the running statistics, scale and bias."""
        shape = (self.features,)
        self.mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        self.var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        self.scale = self.param("scale", nn.initializers.ones, shape)
        self.bias = self.param("bias", nn.initializers.zeros, shape)

    def __call__(self, x: Float[Array, "*b c"], train: bool) -> Float[Array, "*b c"]:
        """Normalise each channel; training uses and updates the statistics of the batch.

        Raises `ValueError` in training for one value per channel, which would always become 0, as
        `torch.nn.functional.batch_norm` does.
        """
        if not train:
            return self.inference_form()(x)
        if x.size == self.features and not self.is_initializing():
            path = "/".join(self.path)
            raise ValueError(f"{path}: batch normalisation of one value per channel")
        normalised: Any = ops.batch_norm(x, self.scale, self.bias, self.mean.value, self.epsilon)
        x, mean, variance = normalised
        if not self.is_initializing():
            self.mean.value = self.momentum * self.mean.value + (1 - self.momentum) * mean
            self.var.value = self.momentum * self.var.value + (1 - self.momentum) * variance
        return x.astype(self.dtype)

    def inference_form(self) -> Activation:
        """The normalisation by running statistics as an elementwise function."""
        mean, bias = self.mean.value, self.bias
        slope = self.scale * jax.lax.rsqrt(self.var.value + self.epsilon)

        def normalise(x: Array) -> Array:
            centred = x.astype(jnp.float32) - per_channel(mean, x)
            out = centred * per_channel(slope, x) + per_channel(bias, x)
            return out.astype(self.dtype)

        return normalise


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
    ) -> Float[Array, "b h_out w_out c_out"]:
        """Convolve, normalise, activate; in inference the last two are the epilogue."""
        convolution = Convolution(
            self.features,
            self.kernel_size,
            self.stride,
            self.padding,
            self.depthwise,
            dtype=self.dtype,
            name="conv",
        )
        norm = BatchNorm(self.features, self.epsilon, dtype=self.dtype, name="norm")
        if train:
            return self.activation(norm(convolution(x), train))
        normalise = norm.inference_form()
        return convolution(x, lambda x: self.activation(normalise(x)))


class SqueezeExcite(nn.Module):
    """A gate for each channel from its mean (Hu et al., 2018, arXiv:1709.01507)."""

    reduced: int
    activation: Activation
    gate: Activation
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Multiply each channel by its gate in 0..1."""
        x = checkpoint_name(x, "gate_input")
        squeezed = checkpoint_name(ops.spatial_mean(x), "squeezed")
        squeezed = Convolution(self.reduced, use_bias=True, dtype=self.dtype, name="reduce")(
            squeezed
        )
        squeezed = self.activation(squeezed)
        squeezed = Convolution(x.shape[-1], use_bias=True, dtype=self.dtype, name="expand")(
            squeezed
        )
        return checkpoint_name(ops.scale_channels(x, self.gate(squeezed)), "gated")


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., 2016, arXiv:1603.09382): skips the branch of some images."""

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], rate: float | Float[Array, ""], train: bool
    ) -> Float[Array, "b h w c"]:
        """Zero whole images with probability `rate` and scale the others by 1 / (1 - rate)."""
        if not train or (isinstance(rate, float) and rate == 0.0):
            return x
        kept = jax.random.bernoulli(self.make_rng("dropout"), 1.0 - rate, (x.shape[0], 1, 1, 1))
        return x * (kept / (1.0 - rate)).astype(x.dtype)
