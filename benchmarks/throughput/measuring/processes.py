"""Measuring processes, run one after the other, side by side or in alternating turns."""

import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from benchmarks.throughput.cases import Job
from benchmarks.throughput.measuring.worker import READY

ROOT = Path(__file__).parents[3]
TURNS = 8
DISTURBED = ("trace_s", "compile_s", "from_cache", "first_step_s")
"""Metrics that other processes on the same cores change."""


def measure(job: Job, device: str, seconds: float, directory: Path) -> dict[str, Any]:
    """Run one job in its own process; return its metrics, or a `note` that says why there are none.

    `directory` holds the compilation caches of JAX and torch. Both start empty: the first process
    of a case compiles, later ones load from the cache.
    """
    with ExitStack() as stack:
        return _Worker(job, device, seconds, directory, stack, "alone").finish()


def measure_side_by_side(
    jobs: Sequence[Job], device: str, seconds: float, directory: Path, parallel: int
) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Run up to `parallel` processes at once and time one at a time; yield them as they end.

    Processes build and compile side by side. While one is timed, the others are stopped (SIGSTOP),
    so that it has the device for itself. Metrics of what ran beside other processes (`trace_s`,
    `compile_s`, `from_cache`, `first_step_s`) are left out.
    """
    waiting = list(jobs)
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        while waiting or ready.get_map():
            while waiting and len(ready.get_map()) < parallel:
                worker = _Worker(waiting.pop(0), device, seconds, directory, stack, "side_by_side")
                stack.callback(worker.end)  # an interrupt does not reach its session
                ready.register(worker.output, selectors.EVENT_READ, worker)
            for key, _ in ready.select():
                ready.unregister(key.fileobj)
                others = [other.data for other in ready.get_map().values()]
                with _stopped(others):
                    if key.data.wait_until_ready():
                        key.data.take_turn()
                metrics = key.data.finish()
                yield (
                    key.data.job,
                    {name: value for name, value in metrics.items() if name not in DISTURBED},
                )


def measure_interleaved(
    jobs: Sequence[Job], device: str, seconds: float, directory: Path
) -> list[dict[str, Any]]:
    """Run jobs in processes that live side by side and step in turns, `TURNS` turns each.

    One process steps while the others wait. A turn lasts `seconds / 6`, and at least one step.
    """
    with ExitStack() as stack:
        workers: list[_Worker] = []
        for job in jobs:  # each is ready before the next one starts
            workers.append(_Worker(job, device, seconds / 6, directory, stack, "turns"))
            if not workers[-1].wait_until_ready():
                break
        else:
            for turn in range(TURNS):
                for worker in workers if turn % 2 == 0 else reversed(workers):
                    worker.take_turn()
        metrics = [worker.finish() for worker in workers]
    return metrics + [{"note": "not run"}] * (len(jobs) - len(metrics))


@contextmanager
def _stopped(workers: Sequence["_Worker"]) -> Iterator[None]:
    """Stop processes, with those that they have started, and let them go on at the end."""
    for worker in workers:
        worker.send(signal.SIGSTOP)
    try:
        yield
    finally:
        for worker in workers:
            worker.send(signal.SIGCONT)


class _Worker:
    """A process of `benchmarks.throughput.measuring.worker`."""

    def __init__(
        self,
        job: Job,
        device: str,
        seconds: float,
        directory: Path,
        stack: ExitStack,
        schedule: str,
    ):
        self.job = job
        request = {
            "case": asdict(job.case),
            "framework": job.framework,
            "mode": job.mode,
            "device": device,
            "seconds": seconds,
            "schedule": schedule,
            "directory": str(directory),
            "spawned": time.time(),
        }
        self.errors: IO[str] = stack.enter_context(tempfile.TemporaryFile("w+"))  # noqa: SIM115
        self.process = stack.enter_context(
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "benchmarks.throughput.measuring.worker",
                    json.dumps(request),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
                cwd=ROOT,
                env=_environment(job, device, directory, schedule),
                start_new_session=schedule == "side_by_side",
            )
        )
        self.last_line = ""

    @property
    def output(self) -> IO[str]:
        """What the process prints."""
        assert self.process.stdout is not None
        return self.process.stdout

    def send(self, number: int) -> None:
        """Send a signal to the process and to those that it has started; an ended one is left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def end(self) -> None:
        """Kill the process, unless it has ended."""
        if self.process.poll() is None:
            self.send(signal.SIGKILL)

    def wait_until_ready(self) -> bool:
        """Wait until the process waits for its turn; False where it ends before that."""
        for line in self.output:
            self.last_line = line
            if line.strip() == READY:
                return True
        return False

    def take_turn(self) -> None:
        """Let the process step for one turn, and wait for the turn's end."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # of a process that has ended; `finish` reports why
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            self.wait_until_ready()

    def finish(self) -> dict[str, Any]:
        """Wait for the end of the process and return its metrics."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        rest = self.output.read()  # `communicate` would pass over what is in the buffer
        self.process.wait()
        if self.process.returncode == -9:
            return {"note": "out of memory (the system ended the process)"}
        if self.process.returncode:
            self.errors.seek(0)
            status = f"status {self.process.returncode}"
            last = (self.errors.read().strip().splitlines() or [status])[-1]
            return {"note": f"failed: {last[:200]}"}
        return json.loads((rest or self.last_line).splitlines()[-1])


def _environment(job: Job, device: str, directory: Path, schedule: str) -> dict[str, str]:
    environment = dict(os.environ)
    if schedule == "side_by_side":  # JAX would take three quarters of an accelerator's memory
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    caches = directory / "caches"
    if job.case.part == "cold_start":
        caches = directory / f"cold_{job.case.name}_{job.framework}"
        if job.mode != "cache_filled":
            shutil.rmtree(caches, ignore_errors=True)
    environment["JAX_COMPILATION_CACHE_DIR"] = str(caches / "jax")
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(caches / "torch")
    if job.mode == "cache_off":
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    if device == "cpu" and job.case.devices > 1:
        flag = f"--xla_force_host_platform_device_count={job.case.devices}"
        environment["XLA_FLAGS"] = " ".join(filter(None, [os.environ.get("XLA_FLAGS"), flag]))
    return environment
