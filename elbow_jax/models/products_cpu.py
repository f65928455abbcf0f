"""Matrix products in the blocks and orientations that Eigen, XLA's library on a CPU, runs well.

`docs/decisions.md` has the rates. `elbow_jax.startup` sees to it that XLA takes Eigen.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

_WIDEST_RESULT = 1024  # columns
_BLOCK = 384


def product(rows: Array, kernel: Array) -> Array:
    """Multiply `[n, a]` by `[a, b]`, a wide result in blocks of columns.

    Rows of a wide result lie so far apart that the product, which is written in tiles, misses the
    cache.
    """
    return _in_blocks(kernel, 1, lambda block: lax.dot(rows, block))


def product_transposed(rows: Array, kernel: Array) -> Array:
    """Multiply `[n, b]` by the transpose of `[a, b]`, a wide result in blocks of columns."""
    contracted = (((1,), (1,)), ((), ()))
    return _in_blocks(kernel, 0, lambda block: lax.dot_general(rows, block, contracted))


def across(rows: Array, others: Array) -> Array:
    """Multiply over the first axis: `[n, a]` and `[n, b]` to `[a, b]`.

    Of the two orientations in which this can be computed one is up to 1.9 times as fast: that of
    the longer rows, unless those are too wide for the cache.
    """
    narrow, wide = sorted((rows.shape[1], others.shape[1]))
    columns = wide if wide <= _WIDEST_RESULT else narrow
    if others.shape[1] == columns:
        return _across(rows, others)
    # Behind a barrier, or XLA would fold the transposition into the product.
    return lax.optimization_barrier(_across(others, rows)).T


def _across(rows: Array, others: Array) -> Array:
    return lax.dot_general(rows, others, (((0,), (0,)), ((), ())))


def _in_blocks(kernel: Array, axis: int, multiply: Callable[[Array], Array]) -> Array:
    width = kernel.shape[axis]
    if width <= _WIDEST_RESULT:
        return multiply(kernel)
    starts = range(0, width, _BLOCK)
    blocks = [
        lax.slice_in_dim(kernel, start, min(start + _BLOCK, width), axis=axis) for start in starts
    ]
    return jnp.concatenate([multiply(block) for block in blocks], axis=1)
