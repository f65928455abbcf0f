"""1 x 1 convolutions as matrix products."""

from functools import partial

import jax
from jax import lax
from jaxtyping import Array, Float

from elbow_jax.ops.cpu import products


def pointwise_convolution(
    x: Float[Array, "*batch c_in"], kernel: Float[Array, "c_in c_out"]
) -> Float[Array, "*batch c_out"]:
    """A 1 x 1 convolution: a matrix product over the channels."""
    rows = x.reshape(-1, x.shape[-1])
    return _matmul(rows, kernel).reshape(*x.shape[:-1], kernel.shape[1])


@jax.custom_vjp
def _matmul(rows: Array, kernel: Array) -> Array:
    return lax.platform_dependent(rows, kernel, cpu=products.matmul, default=lax.dot)


def _matmul_forward(rows: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _matmul(rows, kernel), (rows, kernel)


def _matmul_backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    rows, kernel = residuals
    # In the orientation of the result; XLA would choose one that transposes the cotangent.
    transposed_matmul = partial(lax.dot_general, dimension_numbers=(((0,), (0,)), ((), ())))
    return (
        lax.dot_general(cotangent, kernel, (((1,), (1,)), ((), ()))),
        lax.platform_dependent(
            rows, cotangent, cpu=products.transposed_matmul, default=transposed_matmul
        ),
    )


_matmul.defvjp(_matmul_forward, _matmul_backward)
