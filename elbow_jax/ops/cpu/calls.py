"""Calls that XLA must not inline, for use on a CPU alone.

The arguments and the result of such a call lie in memory and are computed once. XLA would otherwise
fuse their computation into each consumer and repeat it there, even where the consumers differ only
in the shape in which they read the array.
"""

from collections.abc import Callable

import jax
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Array


def no_inline(compute: Callable[..., Array], *arrays: Array, **attributes: str) -> Array:
    """Call `compute(*arrays)` as a function that XLA must not inline.

    Args:
        compute: a function of arrays.
        arrays: its arguments.
        attributes: further frontend attributes of the call.
    """

    def without_attributes(*arrays: Array) -> Array:
        # The attributes would otherwise apply to every jitted function that `compute` calls.
        with set_xla_metadata(inlineable=None):
            return compute(*arrays)

    without_attributes.__name__ = getattr(compute, "func", compute).__name__  # also of a partial
    with set_xla_metadata(inlineable="false", **attributes):
        return jax.jit(without_attributes)(*arrays)


def as_one_kernel(compute: Callable[..., Array], *arrays: Array) -> Array:
    """Call `compute(*arrays)` as one machine-code function, loops included.

    XLA would otherwise launch a kernel for each operation of each loop iteration. The attribute
    `xla_cpu_small_call` is the one that XLA itself sets for small loops; a version of XLA that
    ignores it gives the same result, more slowly.
    """
    return no_inline(compute, *arrays, xla_cpu_small_call="true")
