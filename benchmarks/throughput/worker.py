"""One measurement in this process: a job as JSON in, its figures as one line of JSON out.

    python -m benchmarks.throughput.worker JOB

In turns, it says `READY` when it waits, steps for a turn on each line of its input, and has its
figures at the input's end.

What cannot be measured (no torch, no compiler, too little memory) is figures with a `note`.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.throughput.cases import KEPT_MEMORY, Case
from benchmarks.throughput.work import ceiling_work

READY = "ready"
REFUSALS = {
    "RESOURCE_EXHAUSTED": "out of memory",
    "out of memory": "out of memory",
    "can't allocate memory": "out of memory",
    "No working C++ compiler found": "no C++ compiler, which torch.compile needs on a CPU",
    "not run: ": "",
}
PACKAGES = {
    "torch": "torch",
    "timm": "timm",
    "grain": "grain",
    "array_record": "array-record",
    "cv2": "opencv-python-headless",
}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure a job; see `benchmarks.throughput.processes` for what it holds."""
    from benchmarks.throughput import timing

    case = Case(**job["case"])
    if job["device"] == "cpu":
        timing.limit_memory()
    not_ours = 0.0
    if job["framework"] == "jax":
        from benchmarks.throughput import jax_work as side

        if case.part == "end_to_end":
            from benchmarks.throughput import loading

            return loading.measure(case, Path(job["directory"]), job["seconds"])
        work = side.prepare(case)
    else:
        began = time.time()
        import elbow_jax.steps  # noqa: F401  the twin reads its rates from the Flax modules
        from elbow_jax.runtime import startup

        not_ours = time.time() - began
        mode = job["mode"].removesuffix(KEPT_MEMORY)
        if mode != job["mode"] and not startup.keep_freed_memory():
            raise RuntimeError("not run: the C library is not glibc")
        from benchmarks.throughput import torch_work as side

        if job["device"] == "gpu" and not side.ACCELERATED:
            raise RuntimeError("not run: this build of torch sees no GPU")
        work = side.prepare(case, mode)
    work.step()
    work.wait()
    figures = work.figures | {"first_step_s": time.time() - job["spawned"] - not_ours}
    if case.part != "cold_start":
        timing.forget_peak_memory()
        if job["in_turns"]:
            figures |= timing.time_turns(work.step, work.wait, job["seconds"], _turns())
        else:
            figures |= timing.time_steps(work.step, work.wait, job["seconds"])
        if case.part == "ceilings":
            figures["ceiling_work"] = ceiling_work(case.work, job["device"] == "gpu")
        elif job["framework"] == "jax" and case.part != "depthwise":
            figures["multiply_adds"] = _multiply_adds(case)
        device_peak = side.peak_memory_mib()
        figures["peak_mib"] = timing.peak_memory_mib() if device_peak is None else device_peak
    return figures


def _turns() -> Iterator[None]:
    """A turn for each line of the input."""
    print(READY, flush=True)
    for _ in sys.stdin:
        yield
        print(READY, flush=True)


def _multiply_adds(case: Case) -> int:
    from architecture_trace import measure as trace

    from elbow_jax.models import ModelConfig

    config = ModelConfig(backbone=case.name, variant=case.variant)  # type: ignore[arg-type]
    return trace(config, case.size).multiply_adds


def refusal(error: BaseException) -> str | None:
    """Why a measurement could not be made, or None where the error is none that is expected."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        return f"{PACKAGES[package]} is not installed" if package in PACKAGES else None
    if isinstance(error, MemoryError):
        return "out of memory"
    text = str(error)
    for sign, meaning in REFUSALS.items():
        if sign in text:
            return meaning or text.partition(sign)[2].splitlines()[0]
    return None


def main(job: dict[str, Any]) -> None:
    """Measure, or say why not, and print it."""
    try:
        figures = measure(job)
    except (ModuleNotFoundError, RuntimeError, MemoryError) as error:
        note = refusal(error)
        if note is None:
            raise
        figures = {"note": note}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
