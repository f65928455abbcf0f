"""Timers, memory peaks, and the lines that report them."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Runs in its own process, which imports no more than the command does.
_RECORD_MEMORY = """
import multiprocessing, os, sys, threading, time
from pathlib import Path

def peak(process):
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # A process that has ended, and was not waited for yet, has no memory.
    return int((status.partition("VmHWM:")[2].split() or ["0"])[0])

def record_peaks():
    while True:
        peaks.extend(peak(child.pid) for child in multiprocessing.active_children())
        time.sleep(0.05)

peaks = [0]
if __name__ == "__main__":
    threading.Thread(target=record_peaks, daemon=True).start()
"""
PREPARE_AND_PRINT_MEMORY = f"""{_RECORD_MEMORY}
    from elbow_core.prepare.__main__ import main
    main(["--config", sys.argv[1]])
    print(peak("self"), max(peaks))
"""
SCAN_AND_PRINT_MEMORY = f"""{_RECORD_MEMORY}
    from elbow_core.config import load_config
    from elbow_core.prepare import DataConfig, scan_inputs
    config = load_config(DataConfig, Path(sys.argv[1]))
    start = time.perf_counter()
    found = scan_inputs(config)
    wall, cpu = time.perf_counter() - start, sum(os.times()[:4])
    print(len(found.rows), wall, cpu, peak("self"), max(peaks))
"""


@dataclass(frozen=True)
class Timing:
    """Seconds of wall time, and of this process's CPU time over all its threads."""

    wall: float
    cpu: float


def measure(work: Callable[[], object]) -> Timing:
    """Time one call of ``work``."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def children_cpu_seconds() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def await_idle() -> None:
    """Wait until the prefetch threads have filled their buffer, so that their work is counted."""
    while True:
        before = time.process_time()
        time.sleep(0.1)
        if time.process_time() - before < 0.005:
            return


def peaks_of_prepare(config: Path) -> tuple[int, int]:
    """Run prepare in its own process; return its peak memory and its largest worker's, in KiB."""
    command = [sys.executable, "-c", PREPARE_AND_PRINT_MEMORY, str(config)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    own, largest_worker = map(int, done.stdout.split()[-2:])
    return own, largest_worker


@dataclass(frozen=True)
class ScannedHeaders:
    """Seconds of wall time, and of CPU time over all processes with their start.

    Peak memory of the process and its largest worker is in KiB.
    """

    files: int
    wall: float
    cpu: float
    own: int
    largest_worker: int


def scan_headers(config: Path) -> ScannedHeaders:
    """Scan the source of a configuration and all DICOM headers, in a process of its own."""
    command = [sys.executable, "-c", SCAN_AND_PRINT_MEMORY, str(config)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    files, wall, cpu, own, largest_worker = done.stdout.split()[-5:]
    return ScannedHeaders(int(files), float(wall), float(cpu), int(own), int(largest_worker))


def report(name: str, bare: Sequence[Timing], project: Sequence[Timing], images: int) -> None:
    """Print both rates and the median of their ratios by turn."""
    ratios = [b.cpu / o.cpu for b, o in zip(bare, project, strict=True)]
    wall = [b.wall / o.wall for b, o in zip(bare, project, strict=True)]
    rates = [images / float(np.median([t.cpu for t in timings])) for timings in (project, bare)]
    print(
        f"{name}: {np.median(ratios):.2f} of OpenCV's rate ({spread(ratios)}; by wall time "
        f"{np.median(wall):.2f}): {rates[0]:.0f} and {rates[1]:.0f} images a second"
    )


def spread(values: Sequence[float]) -> str:
    """Return the smallest and the largest value as text."""
    return f"{min(values):.2f} to {max(values):.2f}"
