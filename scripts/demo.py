"""The paper's pipeline on synthetic radiographs, from rendering to a report: ``make demo``.

Pretrains, trains and fuses the small variants of the three networks. Each stage is one of the
project's commands, printed before it runs. Independent stages run side by side, each on its share
of the cores. A second call skips finished stages and resumes an interrupted one.
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
METRICS = ("accuracy", "precision", "recall", "f1", "auroc")


def prepare(name: str) -> list[str]:
    """The command that renders and prepares a data set."""
    return ["-m", "elbow_core.prepare", "--config", f"configs/demo/{name}.yaml"]


def train(name: str) -> list[str]:
    """The command that runs or resumes a stage of training."""
    return ["-m", "elbow_jax.train", "--config", f"configs/demo/{name}.yaml", "--resume"]


def evaluate(name: str) -> list[str]:
    """The command that scores the test set with a finished run."""
    return ["-m", "elbow_jax.evaluate", "--run", str(RUNS / name), "--split", "test"]


def run(console: Console, *chains: Sequence[Sequence[str]]) -> None:
    """Run chains of commands side by side, each command on its share of the cores.

    The commands of one chain run in sequence. The first failure ends the demo with its status.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    workers = max(1, min(len(chains), len(cores)))
    free: SimpleQueue[list[int]] = SimpleQueue()
    for worker in range(workers):
        free.put(cores[worker::workers])
    failed = threading.Event()

    def run_chain(chain: Sequence[Sequence[str]]) -> int:
        for command in chain:
            share = free.get()
            status = 1 if failed.is_set() else _run_command(console, command, share)
            free.put(share)
            if status:
                failed.set()
                return status
        return 0

    with ThreadPoolExecutor(len(chains)) as pool:
        statuses = list(pool.map(run_chain, chains))
    if any(statuses):
        sys.exit(max(statuses, key=abs))


def _run_command(console: Console, command: Sequence[str], cores: Sequence[int]) -> int:
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
    """Run every stage, then print the test set's metrics."""
    console = Console()
    started = time.monotonic()
    console.rule("[bold]Render and prepare the pretraining set and the elbow set", align="left")
    run(console, [prepare("mura_data"), prepare("elbow_data")])
    console.rule("[bold]Pretrain and train the three networks", align="left")
    chains = {
        name: [train(f"pretrain_{name}"), train(f"train_{name}"), evaluate(name)]
        for name in NETWORKS
    }
    # MobileNetV3 takes as long as the other two together; ConvNeXt hardly learns in so few steps.
    run(console, chains["mobilenet"], chains["efficientnet"] + chains["convnext"])
    console.rule("[bold]Fuse them", align="left")
    run(console, [train("fuse"), evaluate("ensemble")])
    console.rule("[bold]Report", align="left")
    report = RUNS / "report_test"
    predictions = [str(RUNS / name / "predictions_test.csv") for name in MODELS]
    validation = [str(RUNS / name / "predictions_validation.csv") for name in MODELS]
    files = [*predictions, "--validation", *validation, "--fused", "ensemble"]
    files += ["--archive", "data/demo/elbow"]  # the pictures of the worst errors
    options = ["--title", "Demo: synthetic elbows, test set", "--out", str(report)]
    run(console, [["-m", "elbow_core.evaluation.report", *files, *options]])

    models = json.loads((ROOT / report / "metrics.json").read_text(encoding="utf-8"))["models"]
    table = Table(title="Test set, threshold 0.5")
    table.add_column("model")
    for name in METRICS:
        table.add_column(name, justify="right")
    for model, metrics in models.items():
        values = (metrics[name] for name in METRICS)  # precision is None without a positive score
        table.add_row(model, *("-" if value is None else f"{value:.3f}" for value in values))
    console.print(table)
    console.print(f"Report: {report / 'report.html'}", highlight=False)
    console.print(f"{time.monotonic() - started:.0f} s in total", highlight=False)


if __name__ == "__main__":
    main()
