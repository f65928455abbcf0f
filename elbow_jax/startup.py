"""What every command does before its first array: quiet logs, a compilation cache, kept memory."""

import ctypes
import logging
import os
import platform
from pathlib import Path

import jax

from elbow_jax.cores import available_cores

# Of malloc.h; mallopt(3).
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8


def begin() -> None:
    """Set up the process; call it first in a command."""
    logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax and Grain tell every step of theirs
    use_compilation_cache()
    keep_freed_memory()
    choose_matrix_products()


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
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1}
    return sum(mallopt(option, value) for option, value in settings.items()) == len(settings)


def choose_matrix_products() -> None:
    """Have XLA multiply matrices on a CPU by Eigen and not by YNNPACK, its default since 2026.

    `elbow_jax.models.products_cpu` cuts its products for it. An ``XLA_FLAGS`` that names
    the choice is left alone. It has to be called before the first array.
    """
    flag = "--xla_cpu_experimental_ynn_fusion_type"
    given = os.environ.get("XLA_FLAGS", "")
    if flag not in given:
        os.environ["XLA_FLAGS"] = f"{given} {flag}=".strip()
