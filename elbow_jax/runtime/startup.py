"""Process set-up before the first array: logs, compilation cache, memory allocation, XLA flags."""

import ctypes
import logging
import mmap
import os
import platform
import sys
import tempfile
from pathlib import Path

import jax

from elbow_core.surroundings import home_is_temporary
from elbow_jax.ops.cpu import available_cores
from elbow_jax.runtime.settings import XLA_FLAGS, fix_settings

# Constants of malloc.h; see mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def set_up_process() -> None:
    """Set up logs, settings, memory, compilation cache and XLA flags, before the first array."""
    fix_settings()
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax and Grain log each of their steps
    # Orbax's tasks; their errors reach the thread that saves.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    use_compilation_cache()
    keep_freed_memory()
    choose_xla_flags()
    # On a CPU, steps run in the calling thread. In a pool of threads, buffers are allocated in one
    # thread and freed in another, so that after a few steps they no longer fit where they were.
    jax.config.update("jax_cpu_enable_async_dispatch", False)


def use_compilation_cache() -> None:
    """Keep compiled programs between runs, in ``$JAX_COMPILATION_CACHE_DIR`` if that is set.

    Otherwise in ``$XDG_CACHE_HOME/elbow_jax`` or ``~/.cache/elbow_jax``, in a folder for each
    number of cores: a program compiled on one core runs mostly on one core, and JAX's cache key
    does not include their number. Programs that compile in under a second are not cached. Where the
    folder cannot be written, nothing is kept and a line on standard error says so.
    """
    given = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if given is not None and (not given or "://" in given):  # disabled, or not a folder
        return
    folder = Path(given) if given else _default_cache()
    if folder is None:
        _compile_anew("this user has no home directory")
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        _compile_anew(f"{folder}: cannot be written: {error.strerror}")
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))


def _default_cache() -> Path | None:
    """Return the folder in the user's cache, or None for a user who has none."""
    home = os.environ.get("XDG_CACHE_HOME")
    if not home:
        try:
            home = None if home_is_temporary() else Path.home() / ".cache"
        except RuntimeError:
            home = None
        if home is None:
            return None
    return Path(home) / "elbow_jax" / f"{available_cores()}_cores"


def _compile_anew(reason: str) -> None:
    print(
        f"{reason}, so programs are compiled anew; set JAX_COMPILATION_CACHE_DIR to a folder to "
        "keep them in",
        file=sys.stderr,
    )
    jax.config.update("jax_enable_compilation_cache", False)


def keep_freed_memory() -> bool:
    """Make glibc keep freed memory instead of returning it to the kernel.

    XLA on a CPU allocates its temporary buffers in every step. glibc maps and unmaps buffers above
    32 MiB, so that each step faults in all their pages: a third of the processor time of the demo's
    training step. The process then stays at its peak memory. Returns False, and changes nothing,
    where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1}
    if sum(libc.mallopt(*setting) for setting in settings.items()) < len(settings):
        return False
    _advise_huge_pages(libc)
    return True


def _advise_huge_pages(libc: ctypes.CDLL) -> None:
    """Back the heap, up to half the machine's memory, with pages of 2 MiB.

    The memory is allocated (which reserves addresses only), marked with MADV_HUGEPAGE, and freed.
    The first use of memory then takes 512 times fewer page faults, and every use fewer TLB misses.

    Reference: madvise(2).
    """
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    size = os.sysconf("SC_PHYS_PAGES") * mmap.PAGESIZE // 2
    address = libc.malloc(size)
    if address:
        first_page = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
        libc.madvise(first_page, size - mmap.PAGESIZE, mmap.MADV_HUGEPAGE)
        libc.free(address)


def choose_xla_flags() -> None:
    """Add XLA's flags for a CPU to ``XLA_FLAGS``, except flags already set there.

    - Eigen multiplies matrices instead of YNNPACK, XLA's default since 2026:
      `elbow_jax.ops.cpu.products` orders its products for Eigen.
    - Operations are scheduled for low memory use rather than concurrency: two thirds of the
      buffers, and as fast on two cores.
    - Vectors have the processor's full width.

    Must be called before the first array.
    """
    existing = os.environ.get("XLA_FLAGS", "")
    added = [f"{name}={value}" for name, value in XLA_FLAGS.items() if name not in existing]
    os.environ["XLA_FLAGS"] = " ".join(filter(None, [existing, *added]))
