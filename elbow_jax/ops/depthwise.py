"""Depthwise convolutions, with an optional elementwise epilogue.

Values and gradients are those of `jax.lax.conv_general_dilated`, which an accelerator runs. A CPU
runs the forms of `ops/cpu/depthwise.py`, since XLA's own grouped convolution there takes tens of
times longer.
"""

from collections.abc import Callable
from functools import partial

import jax
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from elbow_jax.ops.convolution import lax_convolution, lax_gradients
from elbow_jax.ops.cpu.calls import no_inline
from elbow_jax.ops.cpu.depthwise import (
    depthwise,
    depthwise_in_memory,
    depthwise_input_gradient,
    depthwise_kernel_gradient,
)
from elbow_jax.ops.padding import (
    Padding,
    Pads,
    pad,
    resolve_pads,
    unpad,
    unpadded_shape,
)


def depthwise_convolution(
    x: Float[Array, "b h w c"],
    kernel: Float[Array, "k k 1 c"],
    stride: int = 1,
    padding: Padding = "symmetric",
    epilogue: Callable[[Array], Array] | None = None,
) -> Float[Array, "b h_out w_out c"]:
    """A convolution of each channel by itself (Chollet, 2017, arXiv:1610.02357).

    `epilogue` is an elementwise function of the result; a CPU applies it in the same pass.
    """
    pads = resolve_pads(x.shape[1], x.shape[2], kernel.shape[0], stride, padding)
    # Padded once for the convolution and for its kernel gradient. An accelerator's compiler folds
    # the padding into both.
    padded = checkpoint_name(pad(x, pads), "padded")
    if epilogue is None:
        return _depthwise(padded, kernel, stride, pads, True)

    def with_epilogue(padded: Array, kernel: Array) -> Array:
        return epilogue(_depthwise(padded, kernel, stride, pads, False))

    on_cpu = partial(no_inline, with_epilogue)
    return lax.platform_dependent(padded, kernel, cpu=on_cpu, default=with_epilogue)


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _depthwise(padded: Array, kernel: Array, stride: int, pads: Pads, in_memory: bool) -> Array:
    """Convolve padded images; the gradient of the padding is 0.

    `in_memory` has a CPU compute the result once, for any number of consumers.
    """
    on_cpu = depthwise_in_memory if in_memory else depthwise
    default = partial(_lax_depthwise, stride=stride, pads=pads)
    return lax.platform_dependent(
        padded, kernel, cpu=partial(on_cpu, stride=stride), default=default
    )


def _depthwise_forward(
    padded: Array, kernel: Array, stride: int, pads: Pads, in_memory: bool
) -> tuple[Array, tuple[Array, Array]]:
    return _depthwise(padded, kernel, stride, pads, in_memory), (padded, kernel)


def _depthwise_backward(
    stride: int, pads: Pads, in_memory: bool, residuals: tuple[Array, Array], cotangent: Array
) -> tuple[Array, Array]:
    del in_memory
    on_cpu, default = (
        partial(gradients, stride=stride, pads=pads)
        for gradients in (_gradients_on_cpu, _lax_depthwise_gradients)
    )
    return lax.platform_dependent(*residuals, cotangent, cpu=on_cpu, default=default)


_depthwise.defvjp(_depthwise_forward, _depthwise_backward)


def _gradients_on_cpu(
    padded: Array, kernel: Array, cotangent: Array, stride: int, pads: Pads
) -> tuple[Array, Array]:
    shape = unpadded_shape(padded.shape, pads)
    input_gradient = depthwise_input_gradient(kernel, cotangent, stride, pads, shape)
    return (
        pad(input_gradient, pads),
        depthwise_kernel_gradient(padded, cotangent, stride, pads, kernel.shape),
    )


# The compiler removes `unpad` after `pad`: an accelerator convolves the image that was given.
def _lax_depthwise(padded: Array, kernel: Array, stride: int, pads: Pads) -> Array:
    x = unpad(padded, pads, unpadded_shape(padded.shape, pads))
    return lax_convolution(x, kernel, stride, pads)


def _lax_depthwise_gradients(
    padded: Array, kernel: Array, cotangent: Array, stride: int, pads: Pads
) -> tuple[Array, Array]:
    x = unpad(padded, pads, unpadded_shape(padded.shape, pads))
    input_gradient, kernel_gradient = lax_gradients(x, kernel, cotangent, stride, pads)
    return pad(input_gradient, pads), kernel_gradient
