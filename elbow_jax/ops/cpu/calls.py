"""Functions that XLA may not merge with what is around them, for use on a CPU alone.

An array that such a function reads or returns is computed once and lies in memory. XLA would
otherwise draw what computes it into each of its readers, and compute it there again: also where the
readers differ by no more than the shape in which they see it.
"""

from collections.abc import Callable

import jax
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Array


def apart(compute: Callable[..., Array], *arrays: Array, **marks: str) -> Array:
    """Compute an array in a function that XLA may not inline: from memory to memory."""

    def unmarked(*arrays: Array) -> Array:
        # Functions that `compute` calls would else be marked too, and be apart by themselves.
        with set_xla_metadata(inlineable=None):
            return compute(*arrays)

    unmarked.__name__ = getattr(compute, "func", compute).__name__  # of a partial, its function's
    with set_xla_metadata(inlineable="false", **marks):
        return jax.jit(unmarked)(*arrays)


def as_one_kernel(compute: Callable[..., Array], *arrays: Array) -> Array:
    """Compute an array, loops and all, in one function of machine code.

    XLA would otherwise call a kernel for each operation of each turn of a loop. It treats small
    loops so by itself, by the same attribute (`xla_cpu_small_call`); where that is not known, the
    result is the same and slower.
    """
    return apart(compute, *arrays, xla_cpu_small_call="true")
