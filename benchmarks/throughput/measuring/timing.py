"""Timers and memory peaks inside a measuring process."""

import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

MIN_STEPS = 3
BLOCK_SECONDS = 0.1  # shorter steps are timed in blocks, to amortise the synchronisation


def time_steps(step: Callable[[], Any], wait: Callable[[], Any], seconds: float) -> dict[str, Any]:
    """Warm up, then time steps for `seconds`, at least `MIN_STEPS` of them.

    `wait` synchronises with the device; it is called before and after each block of steps. Returns
    lists with one value a block, seconds for one step: `seconds` of wall time and `cpu_seconds` of
    the process's processor time over all threads; and `warm_up_s`.
    """
    started = time.perf_counter()
    step()
    wait()
    block = _steps_per_block(step, wait)
    while time.perf_counter() - started < 0.15 * seconds:
        step()
        wait()
    warm_up = time.perf_counter() - started
    walls, processors = _time_blocks(step, wait, block, seconds, MIN_STEPS)
    return {"seconds": walls, "cpu_seconds": processors, "warm_up_s": warm_up}


def time_turns(
    step: Callable[[], Any], wait: Callable[[], Any], seconds: float, turns: Iterable[None]
) -> dict[str, Any]:
    """Time steps for `seconds`, at least one, in each turn that `turns` yields.

    An untimed step opens each turn and refills the caches that the other process has overwritten.
    Returns the keys of `time_steps`, with one value a turn: the median of its blocks.

    Raises:
        RuntimeError: `turns` yielded nothing, as when the other process cannot be measured.
    """
    walls: list[float] = []
    processors: list[float] = []
    warm_up = 0.0
    for _ in turns:
        started = time.perf_counter()
        block = _steps_per_block(step, wait)
        warm_up += time.perf_counter() - started
        wall, processor = _time_blocks(step, wait, block, seconds, least=1)
        walls.append(median(wall))
        processors.append(median(processor))
    if not walls:
        raise RuntimeError("not run: no turn came")
    return {"seconds": walls, "cpu_seconds": processors, "warm_up_s": warm_up}


def _steps_per_block(step: Callable[[], Any], wait: Callable[[], Any]) -> int:
    started = time.perf_counter()
    step()
    wait()
    return max(1, round(BLOCK_SECONDS / max(time.perf_counter() - started, 1e-9)))


def _time_blocks(
    step: Callable[[], Any], wait: Callable[[], Any], block: int, seconds: float, least: int
) -> tuple[list[float], list[float]]:
    """Seconds of wall and of processor time for one step, one value a block."""
    walls: list[float] = []
    processors: list[float] = []
    started = time.perf_counter()
    while len(walls) < least or time.perf_counter() - started < seconds:
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(block):
            step()
        wait()
        walls.append((time.perf_counter() - wall) / block)
        processors.append((time.process_time() - processor) / block)
    return walls, processors


def reset_peak_memory() -> None:
    """Restart the kernel's record of this process's peak memory; proc(5), clear_refs."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def peak_memory_mib() -> float:
    """Peak resident memory of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def limit_memory() -> None:
    """Fail allocations beyond the machine's free memory, before the kernel kills a process."""
    meminfo = Path("/proc/meminfo")
    if not meminfo.exists():
        return
    lines = meminfo.read_text().splitlines()
    free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (int(0.9 * free), resource.RLIM_INFINITY))
