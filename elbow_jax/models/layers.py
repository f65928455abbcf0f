"""The layers that the three backbones share, with the names that porting maps."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from elbow_jax.ops import convolution as ops
from elbow_jax.ops.normalisation import batch_norm, layer_norm
from elbow_jax.ops.reductions import add_bias, scale_channels, spatial_mean
from elbow_jax.ops.rematerialisation import keep, rematerialised

Activation = Callable[[Array], Array]
Initializer = Callable[..., Array]


def normal(deviation: float) -> Initializer:
    """Normal draws of one standard deviation."""

    def initializer(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
        return deviation * _standard_normal(key, shape)

    return initializer


def fan_out_normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    """Normal draws of variance 2 / fan-out for a kernel `[k, k, c_in, c_out]` (He et al., 2015).

    A depthwise kernel `[k, k, 1, c]` has a fan-out of one channel, as in timm.
    """
    outputs = 1 if shape[2] == 1 and shape[3] > 1 and shape[0] > 1 else shape[3]
    return math.sqrt(2.0 / (shape[0] * shape[1] * outputs)) * _standard_normal(key, shape)


def _standard_normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    # XLA compiles threefry anew for every shape, about half a second each on a CPU; its own
    # generator, seeded with the same words, makes the start of a network four times quicker.
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
        self, x: Float[Array, "b h w c"], then: Callable[[Array], Array] | None = None
    ) -> Float[Array, "b h_out w_out c_out"]:
        """Convolve; the kernel is `[k, k, c_in, c_out]`, `[k, k, 1, c]` where depthwise.

        `then` is what becomes of each number of a depthwise convolution that has no bias; for
        others it raises ValueError.
        """
        if then is not None and (self.use_bias or not self.depthwise):
            raise ValueError("`then` is for a depthwise convolution without a bias")
        size, channels = self.kernel_size, 1 if self.depthwise else x.shape[-1]
        kernel = self.param("kernel", self.kernel_init, (size, size, channels, self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if self.depthwise:
            x = ops.depthwise_convolution(x, kernel, self.stride, self.padding, then)
        elif size == 1 and self.stride == 1:
            x = ops.pointwise_convolution(x, kernel[0, 0])
        else:
            x = ops.convolution(x, kernel, self.stride, self.padding)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,))
            x = add_bias(x, bias)
        return keep(x)


class Dense(nn.Module):
    """A matrix product over the last axis, and a bias; all of it scaled, where a scale is given."""

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
            # Scaling the kernel is cheaper than the result, and so is its gradient: the result's
            # would need the product a second time.
            kernel, bias = kernel * scale[None], bias * scale
        x = ops.pointwise_convolution(x.astype(self.dtype), kernel.astype(self.dtype))
        return keep(add_bias(x, bias))


class LayerNorm(nn.Module):
    """Layer normalisation over the channels (Ba et al., 2016, arXiv:1607.06450), in float32."""

    epsilon: float = 1e-6
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        """Normalise each vector of channels by its own mean and variance."""
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        normalised: Any = layer_norm(x, scale, bias, self.epsilon)
        return normalised.astype(self.dtype)


class BatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy, 2015, arXiv:1502.03167), in float32.

    The running variance is the biased one, where torch keeps n / (n - 1) of it. Mean and variance
    are taken in one pass, about the running mean, so that a large mean does not drown a small
    variance.
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*b c"], train: bool) -> Float[Array, "*b c"]:
        """Normalise each channel over everything else; training updates `batch_stats`."""
        mean, variance, scale, bias = _norm_variables(self, x.shape[-1])
        if not train:
            fixed = _by_running_statistics(mean, variance, scale, bias, self.epsilon)
            return fixed(x).astype(self.dtype)
        # About the running mean, which is near the batch's after the first steps.
        normalised: Any = batch_norm(x, scale, bias, mean.value, self.epsilon)
        x, centre, spread = normalised
        if not self.is_initializing():
            mean.value = self.momentum * mean.value + (1 - self.momentum) * centre
            variance.value = self.momentum * variance.value + (1 - self.momentum) * spread
        return x.astype(self.dtype)


class FixedBatchNorm(nn.Module):
    """What `BatchNorm`, with the same variables, does to an array when it does not train."""

    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def for_channels(self, channels: int) -> Activation:
        """Normalisation by the running statistics, as a function of each number."""
        fixed = _by_running_statistics(*_norm_variables(self, channels), self.epsilon)
        return lambda x: fixed(x).astype(self.dtype)


def _norm_variables(
    norm: nn.Module, channels: int
) -> tuple[nn.Variable, nn.Variable, Array, Array]:
    """Running mean and variance, scale and bias."""
    return (
        norm.variable("batch_stats", "mean", jnp.zeros, (channels,), jnp.float32),
        norm.variable("batch_stats", "var", jnp.ones, (channels,), jnp.float32),
        norm.param("scale", nn.initializers.ones, (channels,)),
        norm.param("bias", nn.initializers.zeros, (channels,)),
    )


def _by_running_statistics(
    mean: nn.Variable, variance: nn.Variable, scale: Array, bias: Array, epsilon: float
) -> Activation:
    centre, slope = mean.value, scale * jax.lax.rsqrt(variance.value + epsilon)

    def fixed(x: Array) -> Array:
        away = x.astype(jnp.float32) - per_channel(centre, x)
        return away * per_channel(slope, x) + per_channel(bias, x)

    return fixed


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
        """Apply the three in turn."""
        convolve = Convolution(
            self.features,
            self.kernel_size,
            self.stride,
            self.padding,
            self.depthwise,
            dtype=self.dtype,
            name="conv",
        )
        if self.depthwise and not train:
            fixed = FixedBatchNorm(self.epsilon, self.dtype, name="norm").for_channels(
                self.features
            )
            return convolve(x, lambda x: self.activation(fixed(x)))
        x = BatchNorm(self.epsilon, dtype=self.dtype, name="norm")(convolve(x), train)
        return self.activation(x)


class SqueezeExcite(nn.Module):
    """A gate for each channel from its mean (Hu et al., 2018, arXiv:1709.01507)."""

    reduced: int
    activation: Activation
    gate: Activation
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        """Multiply each channel by its gate in 0..1."""
        x = keep(x)  # the products with the gate and with its gradient would compute it twice
        squeezed = keep(spatial_mean(x))
        squeezed = Convolution(self.reduced, use_bias=True, dtype=self.dtype, name="reduce")(
            squeezed
        )
        squeezed = self.activation(squeezed)
        squeezed = Convolution(x.shape[-1], use_bias=True, dtype=self.dtype, name="expand")(
            squeezed
        )
        return keep(scale_channels(x, self.gate(squeezed)))  # what the next product reads


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., 2016, arXiv:1603.09382): no branch for some images."""

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], rate: float | Float[Array, ""], train: bool
    ) -> Float[Array, "b h w c"]:
        """Zero whole images with probability `rate` and scale the others by 1 / (1 - rate)."""
        if not train or (isinstance(rate, float) and rate == 0.0):
            return x
        kept = jax.random.bernoulli(self.make_rng("dropout"), 1.0 - rate, (x.shape[0], 1, 1, 1))
        return x * (kept / (1.0 - rate)).astype(x.dtype)


def scanned(block: type[nn.Module], depth: int, unroll: bool) -> Callable[..., nn.Module]:
    """Equal blocks in a row as one module; its variables are stacked along axis 0.

    They are compiled once for all; `unroll` compiles each by itself, which takes longer and runs
    faster. The block is called with `(x, rate, train)` and returns `(x, None)`; the row is called
    with one rate for each block.
    """
    axes: Any = (0, nn.broadcast)
    return nn.scan(
        rematerialised(block, unroll),
        variable_axes={"params": 0, "batch_stats": 0},
        split_rngs={"params": True, "dropout": True},
        in_axes=axes,
        length=depth,
        unroll=depth if unroll else 1,
    )
