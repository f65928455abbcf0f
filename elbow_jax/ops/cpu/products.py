"""Matrix products in the orientations and lengths that Eigen runs well.

Eigen is XLA's library for matrix products on a CPU (`elbow_jax.runtime.startup` selects it). The
measured rates are in `docs/performance/cpu.md`.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from elbow_jax.ops.cpu.calls import no_inline

_MAX_RESULT_COLUMNS = 2048
_MAX_ROWS = 16384  # in one product
_MAX_CONTRACTED_ROWS = 8192  # in one product over the rows


def matmul(rows: Array, kernel: Array) -> Array:
    """`rows @ kernel`: `[n, a]` and `[a, b]` to `[n, b]`; many rows in equal parts."""
    parts = _equal_parts(rows.shape[0], _MAX_ROWS)
    if parts == 1:
        return lax.dot(rows, kernel)

    def in_parts(rows: Array, kernel: Array) -> Array:
        stacked = rows.reshape(parts, -1, rows.shape[1])
        kernels = jnp.broadcast_to(kernel, (parts, *kernel.shape))
        products = lax.dot_general(stacked, kernels, (((2,), (1,)), ((0,), (0,))))
        return products.reshape(-1, kernel.shape[1])

    return no_inline(in_parts, rows, kernel)


def transposed_matmul(rows: Array, others: Array) -> Array:
    """`rows.T @ others`: `[n, a]` and `[n, b]` to `[a, b]`.

    Of the two orientations in which this can be computed one is up to 1.9 times as fast: the one
    with the longer result rows, unless those are too wide for the cache. Many rows are contracted
    in equal parts, which are summed.
    """
    narrow, wide = sorted((rows.shape[1], others.shape[1]))
    columns = wide if wide <= _MAX_RESULT_COLUMNS else narrow
    if others.shape[1] == columns:
        return _contract_rows(rows, others)
    # The barrier keeps XLA from folding the transposition into the product.
    return lax.optimization_barrier(_contract_rows(others, rows)).T


def _contract_rows(rows: Array, others: Array) -> Array:
    parts = _equal_parts(rows.shape[0], _MAX_CONTRACTED_ROWS)
    if parts == 1:
        return lax.dot_general(rows, others, (((0,), (0,)), ((), ())))

    def in_parts(rows: Array, others: Array) -> Array:
        rows, others = (x.reshape(parts, -1, x.shape[1]) for x in (rows, others))
        return lax.dot_general(rows, others, (((1,), (1,)), ((0,), (0,)))).sum(0)

    return no_inline(in_parts, rows, others)


def _equal_parts(rows: int, limit: int) -> int:
    """The smallest number of equal parts of at most `limit` rows; 1 where no such parts exist.

    Rows that lie on several devices stay whole: a part across devices would move data.
    """
    fewest = -(-rows // limit)
    if fewest == 1 or jax.device_count() > 1:
        return 1
    return next((parts for parts in range(fewest, 2 * fewest) if rows % parts == 0), 1)
