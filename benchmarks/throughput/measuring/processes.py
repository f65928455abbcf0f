"""Measuring processes, run one after the other or in alternating turns."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from benchmarks.throughput.cases import Job
from benchmarks.throughput.measuring.worker import READY

ROOT = Path(__file__).parents[3]
TURNS = 8


def measure(job: Job, device: str, seconds: float, directory: Path) -> dict[str, Any]:
    """Run one job in its own process; return its metrics, or a `note` that says why there are none.

    `directory` holds the compilation caches of JAX and torch. Both start empty: the first process
    of a case compiles, later ones load from the cache.
    """
    with ExitStack() as stack:
        return _Worker(job, device, seconds, directory, stack, in_turns=False).finish()


def measure_interleaved(
    jobs: Sequence[Job], device: str, seconds: float, directory: Path
) -> list[dict[str, Any]]:
    """Run jobs in processes that live side by side and step in turns, `TURNS` turns each.

    One process steps while the others wait. A turn lasts `seconds / 6`, and at least one step.
    """
    with ExitStack() as stack:
        workers: list[_Worker] = []
        for job in jobs:  # each is ready before the next one starts
            workers.append(_Worker(job, device, seconds / 6, directory, stack, in_turns=True))
            if not workers[-1].wait_until_ready():
                break
        else:
            for turn in range(TURNS):
                for worker in workers if turn % 2 == 0 else reversed(workers):
                    worker.take_turn()
        metrics = [worker.finish() for worker in workers]
    return metrics + [{"note": "not run"}] * (len(jobs) - len(metrics))


class _Worker:
    """A process of `benchmarks.throughput.measuring.worker`."""

    def __init__(
        self,
        job: Job,
        device: str,
        seconds: float,
        directory: Path,
        stack: ExitStack,
        in_turns: bool,
    ):
        request = {
            "case": asdict(job.case),
            "framework": job.framework,
            "mode": job.mode,
            "device": device,
            "seconds": seconds,
            "in_turns": in_turns,
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
                env=_environment(job, device, directory),
            )
        )
        self.last_line = ""

    def wait_until_ready(self) -> bool:
        """Wait until the process waits for its turn; False where it ends before that."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
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
        rest, _ = self.process.communicate()
        if self.process.returncode == -9:
            return {"note": "out of memory (the system ended the process)"}
        if self.process.returncode:
            self.errors.seek(0)
            status = f"status {self.process.returncode}"
            last = (self.errors.read().strip().splitlines() or [status])[-1]
            return {"note": f"failed: {last[:200]}"}
        return json.loads((rest or self.last_line).splitlines()[-1])


def _environment(job: Job, device: str, directory: Path) -> dict[str, str]:
    environment = dict(os.environ)
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
