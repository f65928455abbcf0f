"""What every command does before its first array: quiet logs, a compilation cache, kept memory."""

import ctypes
import logging
import mmap
import os
import platform
from pathlib import Path

import jax

from elbow_jax.ops.cpu.cores import available_cores

# Of malloc.h; mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4

_XLA_FLAGS = {
    "--xla_cpu_experimental_ynn_fusion_type": "",
    "--xla_cpu_enable_concurrency_optimized_scheduler": "false",
    "--xla_cpu_prefer_vector_width": "512",
}


def begin() -> None:
    """Set up the process; call it first in a command."""
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax and Grain tell every step of theirs
    use_compilation_cache()
    keep_freed_memory()
    choose_xla_flags()
    # A step on a CPU runs in the thread that calls it. In a pool's threads its buffers are cut from
    # the heap in one and freed in another, and every few steps no longer fit where they were.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def use_compilation_cache() -> None:
    """Keep compiled programs between runs, in ``$JAX_COMPILATION_CACHE_DIR`` if that is set.

    Otherwise in ``$XDG_CACHE_HOME/elbow_jax`` or ``~/.cache/elbow_jax``, a folder for each number
    of cores: a program compiled on one core does most of its work on one, and JAX does not ask.
    Programs that compile in under a second are not kept.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        place = Path(home) / "elbow_jax" / f"{available_cores()}_cores"
        jax.config.update("jax_compilation_cache_dir", str(place))


def keep_freed_memory() -> bool:
    """Have glibc keep what is freed, instead of giving it back and faulting it in again.

    XLA on a CPU allocates its temporary buffers anew in every step. Above 32 MiB glibc maps and
    unmaps them, so that each step faults in every page: a third of the processor time of the
    demo's training step. Memory in use then stays at its peak. Returns False, having done nothing,
    where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1}
    if sum(libc.mallopt(*setting) for setting in settings.items()) < len(settings):
        return False
    _ask_for_huge_pages(libc)
    return True


def _ask_for_huge_pages(libc: ctypes.CDLL) -> None:
    """Back the heap, as far as it may grow, with pages of 2 MiB; madvise(2), MADV_HUGEPAGE.

    Half the machine's memory is allocated, which takes addresses alone, marked, and freed. A step
    then faults 512 times less in its first use of memory, and misses fewer addresses in any use.
    """
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE // 2
    place = libc.malloc(size)
    if place:
        start = -(-place // mmap.PAGESIZE) * mmap.PAGESIZE
        libc.madvise(start, size - mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
        libc.free(place)


def choose_xla_flags() -> None:
    """Set XLA's flags for a CPU, those that ``XLA_FLAGS`` does not name itself.

    Matrices are multiplied by Eigen and not by YNNPACK, XLA's default since 2026:
    `elbow_jax.ops.cpu.products` orders its products for it. Vectors are as wide as the processor
    has them. Work is ordered for little memory, not to have much of it ready at once: two thirds of
    the buffers, and as fast on two cores. It has to be called before the first array.
    """
    given = os.environ.get("XLA_FLAGS", "")
    added = [f"{name}={value}" for name, value in _XLA_FLAGS.items() if name not in given]
    os.environ["XLA_FLAGS"] = " ".join(filter(None, [given, *added]))
