"""Matrix products in the orientation and the lengths that Eigen, XLA's library on a CPU, runs well.

`docs/decisions.md` has the rates. `elbow_jax.runtime.startup` sees to it that XLA takes Eigen.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from elbow_jax.ops.cpu.calls import apart

_WIDEST_RESULT = 2048  # columns
_MOST_ROWS = 16384  # that are multiplied at once
_MOST_ROWS_SUMMED = 8192


def along(rows: Array, kernel: Array) -> Array:
    """Multiply over the last axis: `[n, a]` and `[a, b]` to `[n, b]`; many rows in equal parts."""
    parts = _parts(rows.shape[0], _MOST_ROWS)
    if parts == 1:
        return lax.dot(rows, kernel)

    def in_parts(rows: Array, kernel: Array) -> Array:
        stacked = rows.reshape(parts, -1, rows.shape[1])
        kernels = jnp.broadcast_to(kernel, (parts, *kernel.shape))
        products = lax.dot_general(stacked, kernels, (((2,), (1,)), ((0,), (0,))))
        return products.reshape(-1, kernel.shape[1])

    return apart(in_parts, rows, kernel)


def across(rows: Array, others: Array) -> Array:
    """Multiply over the first axis: `[n, a]` and `[n, b]` to `[a, b]`.

    Of the two orientations in which this can be computed one is up to 1.9 times as fast: that of
    the longer rows, unless those are too wide for the cache. Many rows are summed in equal parts.
    """
    narrow, wide = sorted((rows.shape[1], others.shape[1]))
    columns = wide if wide <= _WIDEST_RESULT else narrow
    if others.shape[1] == columns:
        return _across(rows, others)
    # Behind a barrier, or XLA would fold the transposition into the product.
    return lax.optimization_barrier(_across(others, rows)).T


def _across(rows: Array, others: Array) -> Array:
    parts = _parts(rows.shape[0], _MOST_ROWS_SUMMED)
    if parts == 1:
        return lax.dot_general(rows, others, (((0,), (0,)), ((), ())))

    def in_parts(rows: Array, others: Array) -> Array:
        rows, others = (x.reshape(parts, -1, x.shape[1]) for x in (rows, others))
        return lax.dot_general(rows, others, (((1,), (1,)), ((0,), (0,)))).sum(0)

    return apart(in_parts, rows, others)


def _parts(rows: int, most: int) -> int:
    """Into how many equal parts rows are cut: the fewest of at most `most`, where there are some.

    Rows that lie on several devices are not cut: parts that are no device's own would move.
    """
    fewest = -(-rows // most)
    if fewest == 1 or jax.device_count() > 1:
        return 1
    return next((parts for parts in range(fewest, 2 * fewest) if rows % parts == 0), 1)
