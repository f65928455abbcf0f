"""Clocks, peaks of memory, and the medians of ratios that are printed."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# In a process of its own, which imports no more than the command does, and watches its workers.
PREPARE_AND_SAY_MEMORY = """
import multiprocessing, sys, threading, time
from pathlib import Path
from elbow_core.prepare.__main__ import main

def peak(process):
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])

def watch():
    while True:
        peaks.extend(peak(child.pid) for child in multiprocessing.active_children())
        time.sleep(0.05)

if __name__ == "__main__":
    peaks = [0]
    threading.Thread(target=watch, daemon=True).start()
    main(["--config", sys.argv[1]])
    print(peak("self"), max(peaks))
"""


@dataclass(frozen=True)
class Timing:
    """Seconds by the clock, and of this process's cores, over all its threads."""

    wall: float
    cores: float


def measure(work: Callable[[], object]) -> Timing:
    """Run ``work`` once."""
    wall, cores = time.perf_counter(), time.process_time()
    work()
    return Timing(time.perf_counter() - wall, time.process_time() - cores)


def children_seconds() -> float:
    """Return the CPU seconds of all processes that this one has started and seen end."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def await_quiet() -> None:
    """Wait until the threads that read ahead have filled their buffer, so that all is counted."""
    while True:
        before = time.process_time()
        time.sleep(0.1)
        if time.process_time() - before < 0.005:
            return


def peaks_of_prepare(config: Path) -> tuple[int, int]:
    """Prepare in a process of its own; its peak memory and its largest worker's, in KiB."""
    command = [sys.executable, "-c", PREPARE_AND_SAY_MEMORY, str(config)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    own, largest_worker = map(int, done.stdout.split()[-2:])
    return own, largest_worker


def report(what: str, bare: Sequence[Timing], ours: Sequence[Timing], images: int) -> None:
    """Print both rates and the median of their ratios, turn by turn."""
    ratios = [b.cores / o.cores for b, o in zip(bare, ours, strict=True)]
    clock = [b.wall / o.wall for b, o in zip(bare, ours, strict=True)]
    rates = [images / float(np.median([t.cores for t in timings])) for timings in (ours, bare)]
    print(
        f"{what}: {np.median(ratios):.2f} of OpenCV's rate ({spread(ratios)}; by the clock "
        f"{np.median(clock):.2f}): {rates[0]:.0f} and {rates[1]:.0f} images a second"
    )


def spread(values: Sequence[float]) -> str:
    """Return the smallest and the largest value."""
    return f"{min(values):.2f} to {max(values):.2f}"
