"""Compile in a worker thread, so that the compiler does not fragment the heap of the steps."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_in_thread(work: Callable[[], T]) -> T:
    """Run ``work`` in a worker thread and return its result.

    glibc gives each thread its own heap. A compiler fragments the heap it runs in, and every matrix
    product of a step allocates: MobileNetV3's step took 0.34 s in the thread that had compiled it,
    and 0.26 s in another one (docs/performance/cpu-log.md).
    """
    with ThreadPoolExecutor(1, thread_name_prefix="compilation") as thread:
        return thread.submit(work).result()


def compile_in_thread(function: Callable[..., T]) -> Callable[..., T]:
    """Return a jitted function whose first call, which compiles it, runs in a worker thread."""
    compiled = False

    @functools.wraps(function)
    def call(*arguments: Any) -> T:
        nonlocal compiled
        if compiled:
            return function(*arguments)
        compiled = True
        return run_in_thread(lambda: function(*arguments))

    return call
