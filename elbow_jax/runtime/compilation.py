"""Compilation in a thread of its own, whose heap is not that of the thread that steps."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def aside(work: Callable[[], T]) -> T:
    """Do something in a thread of its own and return its result.

    glibc gives a thread a heap of its own. A compiler leaves its heap in pieces, and each product
    of a step asks for memory anew: MobileNetV3's step took 0.34 s where the compiler had shared its
    heap, and 0.26 s where it had not (`docs/decisions.md`).
    """
    with ThreadPoolExecutor(1, thread_name_prefix="compilation") as thread:
        return thread.submit(work).result()


def compiled_aside(function: Callable[..., T]) -> Callable[..., T]:
    """A jitted function whose first call, which compiles it, is made `aside`."""
    called = False

    @functools.wraps(function)
    def call(*given: Any) -> T:
        nonlocal called
        if called:
            return function(*given)
        called = True
        return aside(lambda: function(*given))

    return call
