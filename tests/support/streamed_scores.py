"""Files scored by the streaming code with a network of arithmetic, without JAX.

Run as a program, it scores a folder into a file and kills itself, as `kill -9` does, where it is
told to: ``FOLDER OUT [--kill-after BATCHES] [--workers N]``. It prints the peak of its resident
memory in KiB.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.processes import WorkerPool
from elbow_core.radiographs import Preprocessing
from elbow_jax import streaming
from tests.support.paths import ROOT

SETTINGS = Preprocessing(size=32, sigma=1.5)


class Arithmetic:
    """A network whose score depends on the image, on its place in the batch and on all others."""

    def __init__(
        self, batch_size: int = 4, at_batch: Callable[[int], object] = lambda number: None
    ) -> None:
        self.batch_size = batch_size
        self.started = 0
        self.scored: list[int] = []
        self._at_batch = at_batch

    def start(self, batch: dict[str, Any]) -> Any:
        self._at_batch(self.started)
        self.started += 1
        return batch

    def finish(
        self, started: Any, name_of: Callable[[int], str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sums = started["image"].astype(np.float64).sum((1, 2, 3))
        mixed = np.sqrt(sums * np.arange(1, 1 + len(sums)) + sums.sum())
        is_image = started["position"] >= 0
        self.scored += started["position"][is_image].tolist()
        scores = (mixed - np.floor(mixed))[is_image]
        return started["position"][is_image], scores, 2 * scores  # half of them are flagged


def sheet() -> streaming.Sheet:
    return streaming.Sheet(lambda score: "injury" if score >= 0.5 else "normal", "default")


def write_scores(
    out: Path, paths: list[str], network: Arithmetic, workers: int = 0, settings: str = ""
) -> streaming.Sheet:
    """Score files into a table, as the command does; return its sheet."""
    written = sheet()

    def score(first: int, scores: streaming.Scores) -> streaming.Groups:
        with WorkerPool(workers) as pool:
            yield from streaming.score_files(paths, first, scores, network, SETTINGS, pool)

    key = streaming.fingerprint_of(paths, [settings])
    streaming.write_resumably(out, out, key, paths, score, written)
    return written


def run_program(folder: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run this module as a program."""
    command = [sys.executable, "-m", "tests.support.streamed_scores", str(folder), str(out)]
    return subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True, check=False
    )


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("out", type=Path)
    parser.add_argument("--kill-after", type=int)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()

    def kill(batch: int) -> None:
        if batch == options.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    paths = streaming.find_images([options.folder]).paths
    write_scores(options.out, paths, Arithmetic(at_batch=kill), options.workers)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    _main()
