"""One measurement in this process: a job as JSON in, its metrics as one line of JSON out.

    python -m benchmarks.throughput.measuring.worker JOB

A job in turns prints `READY` when it waits, steps for one turn on each line of its input, and
prints its metrics at the end of the input. A job side by side with others prints `READY` when it
has compiled, is timed after a line of its input, and prints `READY` again. A job that cannot run
(no torch, no compiler, too little memory) prints a `note` in place of metrics.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.throughput.cases import KEPT_MEMORY, Case
from benchmarks.throughput.measuring.work import ceiling_work

READY = "ready"
NOTES = {
    "RESOURCE_EXHAUSTED": "out of memory",
    "out of memory": "out of memory",
    "can't allocate memory": "out of memory",
    "No working C++ compiler found": "no C++ compiler, which torch.compile needs on a CPU",
    "not run: ": "",
}
"""Text of an error and the note that stands for it; after `not run: ` the error's own words do."""

PACKAGES = {
    "torch": "torch",
    "timm": "timm",
    "grain": "grain",
    "array_record": "array-record",
    "cv2": "opencv-python-headless",
}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure a job; `benchmarks.throughput.measuring.processes` writes its fields."""
    from benchmarks.throughput.measuring import timing

    case = Case(**job["case"])
    if job["device"] == "cpu":
        timing.limit_memory()
    if case.part == "end_to_end":
        from benchmarks.throughput.measuring import loading

        return loading.measure(case, Path(job["directory"]), job["seconds"])
    jax_import = 0.0
    if job["framework"] == "jax":
        from benchmarks.throughput.measuring import jax_work as side

        work = side.prepare(case)
    else:
        jax_import = _import_jax()
        mode = _choose_allocator(job["mode"])
        from benchmarks.throughput.measuring import torch_work as side

        if job["device"] == "gpu" and not side.ACCELERATED:
            raise RuntimeError("not run: this build of torch sees no GPU")
        work = side.prepare(case, mode)
    work.step()
    work.wait()
    metrics = work.metrics | {"first_step_s": time.time() - job["spawned"] - jax_import}
    if case.part == "cold_start":
        return metrics
    if job["schedule"] == "side_by_side":
        metrics |= _details(job, case)
        print(READY, flush=True)
        sys.stdin.readline()
    timing.reset_peak_memory()
    if job["schedule"] == "turns":
        metrics |= timing.time_turns(work.step, work.wait, job["seconds"], _turns())
    else:
        metrics |= timing.time_steps(work.step, work.wait, job["seconds"])
    if job["schedule"] == "side_by_side":
        print(READY, flush=True)
    else:
        metrics |= _details(job, case)
    device_peak = side.peak_memory_mib()
    metrics["peak_mib"] = timing.peak_memory_mib() if device_peak is None else device_peak
    return metrics


def _details(job: dict[str, Any], case: Case) -> dict[str, Any]:
    """The amount of work in a step, which takes the processor some time to count."""
    if case.part == "ceilings":
        return {"ceiling_work": ceiling_work(case.work, job["device"] == "gpu")}
    if job["framework"] == "jax" and case.part != "depthwise":
        return {"multiply_adds": _multiply_adds(case)}
    return {}


def _import_jax() -> float:
    """Import the Flax modules that the twin reads; return the seconds, which are not PyTorch's."""
    started = time.time()
    import elbow_jax.runtime
    import elbow_jax.steps  # noqa: F401

    return time.time() - started


def _choose_allocator(mode: str) -> str:
    """Apply the allocator settings of a mode that has them, before torch is imported.

    Returns the mode's name without them.
    """
    from elbow_jax.runtime import keep_freed_memory

    if mode.endswith(KEPT_MEMORY) and not keep_freed_memory():
        raise RuntimeError("not run: the C library is not glibc")
    return mode.removesuffix(KEPT_MEMORY)


def _turns() -> Iterator[None]:
    """Yield once for each line of the input."""
    print(READY, flush=True)
    for _ in sys.stdin:
        yield
        print(READY, flush=True)


def _multiply_adds(case: Case) -> int:
    from benchmarks.architecture_trace import trace_network
    from elbow_jax.models import ModelConfig

    config = ModelConfig(backbone=case.name, variant=case.variant)  # type: ignore[arg-type]
    return trace_network(config, case.size).multiply_adds


def note_of(error: BaseException) -> str | None:
    """The note for an expected error; None for any other."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        return f"{PACKAGES[package]} is not installed" if package in PACKAGES else None
    if isinstance(error, MemoryError):
        return "out of memory"
    text = str(error)
    for sign, note in NOTES.items():
        if sign in text:
            return note or text.partition(sign)[2].splitlines()[0]
    return None


def main(job: dict[str, Any]) -> None:
    """Measure a job and print its metrics, or a note where it cannot run."""
    try:
        metrics = measure(job)
    except (ModuleNotFoundError, RuntimeError, MemoryError) as error:
        note = note_of(error)
        if note is None:
            raise
        metrics = {"note": note}
    print(json.dumps(metrics))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
