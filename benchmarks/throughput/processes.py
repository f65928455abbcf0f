"""Measurements in processes of their own, one after the other or in turns."""

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
from benchmarks.throughput.worker import READY

ROOT = Path(__file__).parents[2]
TURNS = 8


def measure(job: Job, on: str, seconds: float, work: Path) -> dict[str, Any]:
    """Run one job in a process of its own and return its figures, or a `note` that says why not.

    `work` holds the compilation caches: those of JAX and of torch both start empty, so that a
    case's first process compiles and the later ones read what it kept.
    """
    with ExitStack() as opened:
        return _Worker(job, on, seconds, work, opened, in_turns=False).finish()


def measure_in_turns(
    jobs: Sequence[Job], on: str, seconds: float, work: Path
) -> list[dict[str, Any]]:
    """Measure jobs whose processes live side by side and take `TURNS` turns each.

    One works while the others wait. A turn is a sixth of `seconds`, and at least one step.
    """
    with ExitStack() as opened:
        workers: list[_Worker] = []
        for job in jobs:  # each is ready before the next begins
            workers.append(_Worker(job, on, seconds / 6, work, opened, in_turns=True))
            if not workers[-1].is_ready():
                break
        else:
            for turn in range(TURNS):
                for worker in workers if turn % 2 == 0 else reversed(workers):
                    worker.take_turn()
        figures = [worker.finish() for worker in workers]
    return figures + [{"note": "not run"}] * (len(jobs) - len(figures))


class _Worker:
    """A process of `benchmarks.throughput.worker`."""

    def __init__(
        self, job: Job, on: str, seconds: float, work: Path, opened: ExitStack, in_turns: bool
    ):
        given = {
            "case": asdict(job.case),
            "framework": job.framework,
            "mode": job.mode,
            "device": on,
            "seconds": seconds,
            "in_turns": in_turns,
            "directory": str(work),
            "spawned": time.time(),
        }
        self.errors: IO[str] = opened.enter_context(tempfile.TemporaryFile("w+"))  # noqa: SIM115
        self.process = opened.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.throughput.worker", json.dumps(given)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
                env=_environment(job, on, work),
            )
        )
        self.last = ""

    def is_ready(self) -> bool:
        """Wait until the process waits for its turn; False where it ends before that."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.last = line
            if line.strip() == READY:
                return True
        return False

    def take_turn(self) -> None:
        """Have the process step for one turn, and wait for its end."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # of a process that has ended, which `finish` tells
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            self.is_ready()

    def finish(self) -> dict[str, Any]:
        """Wait for the process's end and return its figures."""
        rest, _ = self.process.communicate()
        if self.process.returncode == -9:
            return {"note": "out of memory (the system ended the process)"}
        if self.process.returncode:
            self.errors.seek(0)
            status = f"status {self.process.returncode}"
            last = (self.errors.read().strip().splitlines() or [status])[-1]
            return {"note": f"failed: {last[:200]}"}
        return json.loads((rest or self.last).splitlines()[-1])


def _environment(job: Job, on: str, work: Path) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    caches = work / "caches"
    if job.case.part == "cold_start":
        caches = work / f"cold_{job.case.name}_{job.framework}"
        if job.mode != "cache_filled":
            shutil.rmtree(caches, ignore_errors=True)
    environment["JAX_COMPILATION_CACHE_DIR"] = str(caches / "jax")
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(caches / "torch")
    if job.mode == "cache_off":
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    if on == "cpu" and job.case.devices > 1:
        flag = f"--xla_force_host_platform_device_count={job.case.devices}"
        environment["XLA_FLAGS"] = " ".join(filter(None, [os.environ.get("XLA_FLAGS"), flag]))
    return environment
