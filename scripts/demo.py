"""The report's whole chain on synthetic radiographs, from nothing to a report: ``make demo``.

Pretrain, train and fuse the small variants of all three networks. Each stage is one of the
project's own commands, printed before it runs; stages that do not need each other run side by side,
each on its share of the cores. A second call goes on where the first one stopped and repeats
nothing.
"""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
RUNS = Path("runs/demo")
NETWORKS = ("mobilenet", "efficientnet", "convnext")
MODELS = (*NETWORKS, "ensemble")
FIGURES = ("accuracy", "precision", "recall", "f1", "auroc")


def prepare(name: str) -> list[str]:
    """The command that draws and prepares a data set."""
    return ["-m", "elbow_core.prepare", "--config", f"configs/demo/{name}.yaml"]


def train(name: str) -> list[str]:
    """The command that runs a stage of training, or goes on with it."""
    return ["-m", "elbow_jax.train", "--config", f"configs/demo/{name}.yaml", "--resume"]


def evaluate(name: str) -> list[str]:
    """The command that scores the test set with a finished run."""
    return ["-m", "elbow_jax.evaluate", "--run", str(RUNS / name), "--split", "test"]


def run(console: Console, *chains: Sequence[Sequence[str]]) -> None:
    """Run chains of commands side by side, each command on its share of the cores.

    The commands of a chain follow each other. The first that fails ends the demo with its status.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    lanes = max(1, min(len(chains), len(cores)))
    free: SimpleQueue[list[int]] = SimpleQueue()
    for lane in range(lanes):
        free.put(cores[lane::lanes])
    failed = threading.Event()

    def follow(chain: Sequence[Sequence[str]]) -> int:
        for command in chain:
            share = free.get()
            status = 1 if failed.is_set() else _one(console, command, share)
            free.put(share)
            if status:
                failed.set()
                return status
        return 0

    with ThreadPoolExecutor(len(chains)) as pool:
        statuses = list(pool.map(follow, chains))
    if any(statuses):
        sys.exit(max(statuses, key=abs))


def _one(console: Console, command: Sequence[str], cores: Sequence[int]) -> int:
    console.print(f"$ python {shlex.join(command)}", highlight=False, markup=False, soft_wrap=True)
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if cores:
        os.sched_setaffinity(process.pid, cores)
    assert process.stdout is not None
    for line in process.stdout:
        console.print(f"  {line.rstrip()}", highlight=False, markup=False, soft_wrap=True)
    return process.wait()


def main() -> None:
    """Run every stage, then show the test set's figures."""
    console = Console()
    began = time.monotonic()
    console.rule("[bold]Draw and prepare the pretraining set and the elbow set", align="left")
    run(console, [prepare("mura_data"), prepare("elbow_data")])
    console.rule("[bold]Pretrain and train the three networks", align="left")
    chains = {
        name: [train(f"pretrain_{name}"), train(f"train_{name}"), evaluate(name)]
        for name in NETWORKS
    }
    # The first takes as long as the other two, of which the last hardly learns in so few steps.
    run(console, chains["mobilenet"], chains["efficientnet"] + chains["convnext"])
    console.rule("[bold]Fuse them", align="left")
    run(console, [train("fuse"), evaluate("ensemble")])
    console.rule("[bold]Report", align="left")
    report = RUNS / "report_test"
    predictions = [str(RUNS / name / "predictions_test.csv") for name in MODELS]
    validation = [str(RUNS / name / "predictions_validation.csv") for name in MODELS]
    files = [*predictions, "--validation", *validation]
    words = ["--title", "Demo: synthetic elbows, test set", "--out", str(report)]
    run(console, [["-m", "elbow_core.evaluation.report", *files, *words]])

    models = json.loads((ROOT / report / "metrics.json").read_text(encoding="utf-8"))["models"]
    table = Table(title="Test set, threshold 0.5")
    table.add_column("model")
    for name in FIGURES:
        table.add_column(name, justify="right")
    for model, figures in models.items():
        shown = (figures[name] for name in FIGURES)  # precision is undefined without a positive
        table.add_row(model, *("-" if value is None else f"{value:.3f}" for value in shown))
    console.print(table)
    console.print(f"The report: {report / 'report.html'}", highlight=False)
    console.print(f"{time.monotonic() - began:.0f} s in all", highlight=False)


if __name__ == "__main__":
    main()
