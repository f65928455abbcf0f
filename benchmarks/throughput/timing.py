"""Clocks and peaks inside a measuring process."""

import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

LEAST_STEPS = 3
BLOCK_SECONDS = 0.1  # a shorter step is timed in blocks, so that waiting for it costs little


def time_steps(step: Callable[[], Any], wait: Callable[[], Any], seconds: float) -> dict[str, Any]:
    """Warm up, then time steps for some `seconds`, and at least `LEAST_STEPS` of them.

    `wait` returns when the device has done all that `step` has asked of it; it is called around
    each block of steps. Gives seconds of wall (`seconds`) and of the process's processor time over
    all threads (`cpu_seconds`) for one step, a figure a block, and the `warm_up_s`.
    """
    began = time.perf_counter()
    step()
    wait()
    block = _steps_in_a_block(step, wait)
    while time.perf_counter() - began < 0.15 * seconds:
        step()
        wait()
    warm_up = time.perf_counter() - began
    walls, processors = _time_blocks(step, wait, block, seconds, LEAST_STEPS)
    return {"seconds": walls, "cpu_seconds": processors, "warm_up_s": warm_up}


def time_turns(
    step: Callable[[], Any], wait: Callable[[], Any], seconds: float, turns: Iterable[None]
) -> dict[str, Any]:
    """Time steps for some `seconds`, and at least one, whenever `turns` gives a turn.

    What another process leaves in the caches is overwritten by a step before each turn's first.
    Gives what `time_steps` gives, a figure a turn: the median of its blocks.

    Raises:
        RuntimeError: no turn came, as when the other contender cannot be measured.
    """
    walls: list[float] = []
    processors: list[float] = []
    warm_up = 0.0
    for _ in turns:
        began = time.perf_counter()
        block = _steps_in_a_block(step, wait)
        warm_up += time.perf_counter() - began
        wall, processor = _time_blocks(step, wait, block, seconds, least=1)
        walls.append(median(wall))
        processors.append(median(processor))
    if not walls:
        raise RuntimeError("not run: no turn came")
    return {"seconds": walls, "cpu_seconds": processors, "warm_up_s": warm_up}


def _steps_in_a_block(step: Callable[[], Any], wait: Callable[[], Any]) -> int:
    began = time.perf_counter()
    step()
    wait()
    return max(1, round(BLOCK_SECONDS / max(time.perf_counter() - began, 1e-9)))


def _time_blocks(
    step: Callable[[], Any], wait: Callable[[], Any], block: int, seconds: float, least: int
) -> tuple[list[float], list[float]]:
    """Seconds of wall and of processor for a step, a figure a block."""
    walls: list[float] = []
    processors: list[float] = []
    began = time.perf_counter()
    while len(walls) < least or time.perf_counter() - began < seconds:
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(block):
            step()
        wait()
        walls.append((time.perf_counter() - wall) / block)
        processors.append((time.process_time() - processor) / block)
    return walls, processors


def forget_peak_memory() -> None:
    """Have the kernel count this process's peak from now on; proc(5), clear_refs."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak_memory_mib() -> float:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def limit_memory() -> None:
    """Refuse allocations beyond what the machine has free, before the kernel ends a process."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return
    lines = meminfo.read_text().splitlines()
    free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (int(0.9 * free), resource.RLIM_INFINITY))
