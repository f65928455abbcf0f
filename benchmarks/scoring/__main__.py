"""Measure how fast files become scores: `elbow_jax.predict`'s code against a PyTorch pipeline.

    python -m benchmarks.scoring [--networks NAME...] [--variant small] [--sizes 384 584]
        [--files 192] [--turns 5] [--workers 2] [--batch-size 8] [--torch torch]

Both sides read the same JPEGs (900 x 720) with the same decoding and preprocessing, in as many
worker processes, and score them with the same network and weights: JAX with
`elbow_jax.streaming.score_files`, PyTorch with a DataLoader and the torch twin under torch.compile
(or eagerly, `torch eager`). Each side lives in a process of its own, compiles before it is timed,
and scores all files in turns with the other. Printed are the medians of the rates and of the ratio
of each turn. Other load on the machine changes them: measure on an idle one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.radiographs import write_images
from benchmarks.scoring.side import EAGER, READY
from elbow_core.cli import run
from elbow_core.dataset import NOTHING_SEEN
from elbow_core.errors import ConfigError, UserError
from elbow_core.radiographs import Preprocessing
from elbow_jax import scoring
from elbow_jax.models import BACKBONES, ModelConfig

_SECONDS_TO_END = 60.0
_FILES_OF_A_TURN = 16  # at least, or the start of a pass decides


class Side:
    """A process that scores all files when asked to."""

    def __init__(self, command: Sequence[str], stack: ExitStack) -> None:
        self._process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.scoring.side", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(self._end)
        if self._line() != READY:
            raise UserError(f"{command[0]}: does not start")

    def score(self) -> dict[str, Any]:
        """Score all files; return seconds and scores."""
        assert self._process.stdin is not None
        self._process.stdin.write("score\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def _end(self) -> None:
        """Let the process end its workers and itself."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise UserError(f"a side has ended with status {self._process.wait()}")
        return line.rstrip("\n")


def write_model(folder: Path, backbone: str, variant: str, size: int) -> Path:
    """Write a released model with random weights; return its folder."""
    from elbow_jax import networks  # imports JAX, which --help does without

    network = ModelConfig(backbone=backbone, variant=variant)  # type: ignore[arg-type]
    module = networks.build(network, "float32")
    scoring.write_released(
        folder,
        networks.initialise(module, size, seed=0),
        NOTHING_SEEN,
        architecture=network,
        preprocessing=Preprocessing(size=size),
        thresholds={"default": 0.5},
        labels=("normal", "injury"),
        validation={"auroc": 0.5},
        step=0,
    )
    return folder


def compare(first: Side, second: Side, turns: int, files: int) -> str:
    """Score in turns; return the line of the first side's rate against the second's."""
    seconds, difference = [], 0.0
    for turn in range(turns):
        sides = (first, second) if turn % 2 == 0 else (second, first)
        found = {side: side.score() for side in sides}
        one, other = found[first], found[second]
        seconds.append((one["seconds"], other["seconds"]))
        apart = np.abs(np.subtract(one["scores"], other["scores"]))
        difference = max(difference, float(apart.max()))
    return describe(np.array(seconds), files, difference)


def describe(seconds: np.ndarray, files: int, difference: float) -> str:
    """Return medians of rates and ratios, from the seconds [turns, 2] of both sides."""
    rates = np.median(files / seconds, axis=0)
    ratios = seconds[:, 1] / seconds[:, 0]
    return (
        f"JAX {rates[0]:.1f} files/s, PyTorch {rates[1]:.1f} files/s, ratio "
        f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f}); scores differ by "
        f"{difference:.1e} at most"
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scoring",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = (*BACKBONES, "fusion")
    parser.add_argument("--networks", nargs="+", choices=names, default=list(names))
    parser.add_argument("--variant", choices=("full", "small"), default="full")
    parser.add_argument("--sizes", nargs="+", type=int, default=[384, 584])
    parser.add_argument("--files", type=int, default=192)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--torch", choices=("torch", EAGER), default="torch")
    options = parser.parse_args(arguments)
    if options.files < _FILES_OF_A_TURN:
        raise ConfigError(f"--files: {options.files} is not at least {_FILES_OF_A_TURN}")
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder, "images"), options.files)
        for size in options.sizes:
            for name in options.networks:
                label = f"{name}_{options.variant}_{size}"
                model = write_model(Path(folder, label), name, options.variant, size)
                work = (str(model), str(Path(folder, "images")))
                numbers = (str(options.workers), str(options.batch_size))
                with ExitStack() as stack:
                    sides = [
                        Side([framework, *work, *numbers], stack)
                        for framework in ("jax", options.torch)
                    ]
                    line = compare(sides[0], sides[1], options.turns, options.files)
                print(f"{name} {options.variant}, {size} pixels: {line}", flush=True)
    return 0


if __name__ == "__main__":
    run(main)
