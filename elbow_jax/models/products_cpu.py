"""Matrix products in the orientation that Eigen, XLA's library on a CPU, runs well.

`docs/decisions.md` has the rates. `elbow_jax.startup` sees to it that XLA takes Eigen.
"""

from jax import lax
from jaxtyping import Array

_WIDEST_RESULT = 1024  # columns


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
