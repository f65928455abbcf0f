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
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
NETWORKS = ("mobilenet", "efficientnet", "convnext")
MODELS = (*NETWORKS, "ensemble")
EXPLAINED = "efficientnet"  # the shipped one of which Grad-CAM finds most fractures
METRICS = ("accuracy", "precision", "recall", "f1", "auroc")

BACKBONES = {
    "mobilenet": "mobilenetv3_large",
    "efficientnet": "efficientnetv2_s",
    "convnext": "convnext_tiny",
}


class Demo:
    """The commands of one run of the pipeline.

    Seed 0 is what the configurations say. Another seed renders other patients, begins with other
    orders and heads, and writes into folders of its own.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        suffix = f"_{seed}" if seed else ""
        self.runs, self.data = Path(f"runs/demo{suffix}"), Path(f"data/demo{suffix}")
        self.report = self.runs / "report_test"

    def prepare(self, name: str) -> list[str]:
        """The command that renders and prepares a data set, ``elbow`` or ``mura``."""
        command = ["-m", "elbow_core.prepare", "--config", f"configs/demo/{name}_data.yaml"]
        if self._seed:
            places = ["--root", str(self.data / "raw" / name), "--out", str(self.data / name)]
            seed = 10 * self._seed + (1 if name == "elbow" else 2)
            command += [*places, "--source.seed", str(seed)]
            command += ["--split.seed", str(self._seed)] if name == "elbow" else []
        return command

    def pretrain(self, name: str) -> list[str]:
        """The command that pretrains a network, or resumes it."""
        return self._train(f"pretrain_{name}", f"pretrain_{name}", "mura")

    def train(self, name: str) -> list[str]:
        """The command that trains a pretrained network on the elbow set, or resumes it."""
        init = ["--init", str(self.runs / f"pretrain_{name}")] if self._seed else []
        return [*self._train(f"train_{name}", name, "elbow"), *init]

    def fuse(self) -> list[str]:
        """The command that trains the ensemble of the three networks, or resumes it."""
        init = []
        for name, backbone in BACKBONES.items() if self._seed else ():
            init += [f"--init.{backbone}", str(self.runs / name)]
        return [*self._train("fuse", "ensemble", "elbow"), *init]

    def evaluate(self, name: str) -> list[str]:
        """The command that scores the test set with a finished run."""
        return ["-m", "elbow_jax.evaluate", "--run", str(self.runs / name), "--split", "test"]

    def explain(self) -> list[str]:
        """The command that makes heat maps of the test set, of one network to save time."""
        run, out = self.runs / EXPLAINED, self.runs / "maps"
        command = ["-m", "elbow_jax.explain", "--run", str(run), "--split", "test"]
        return [*command, "--no-pictures", "--batch-size", "32", "--out", str(out)]

    def write_report(self) -> list[str]:
        """The command that compares all models on the test set."""
        predictions = [str(self.predictions(name)) for name in MODELS]
        validation = [str(self.predictions(name, "validation")) for name in MODELS]
        files = [*predictions, "--validation", *validation, "--fused", "ensemble"]
        elbow = self.data / "elbow"
        files += ["--manifest", str(elbow / "manifest.csv")]  # subgroups
        files += ["--archive", str(elbow)]  # the pictures of the worst errors
        files += ["--maps", str(self.runs / "maps/grad_cam")]  # where it looked in them
        options = ["--title", "Demo: synthetic elbows, test set", "--out", str(self.report)]
        return ["-m", "elbow_core.evaluation.report", *files, *options]

    def predictions(self, name: str, split: str = "test") -> Path:
        """The scores of a model, written by `evaluate`."""
        return self.runs / name / f"predictions_{split}.csv"

    def _train(self, config: str, run: str, data: str) -> list[str]:
        command = ["-m", "elbow_jax.train", "--config", f"configs/demo/{config}.yaml", "--resume"]
        if self._seed:
            places = ["--run", str(self.runs / run), "--data.prepared", str(self.data / data)]
            command += [*places, "--seed", str(self._seed)]
        return command

    def run(self, console: Console) -> None:
        """Run every stage that is not finished; the first that fails ends the process."""
        console.rule("[bold]Render and prepare the pretraining set and the elbow set", align="left")
        run(console, [self.prepare("mura"), self.prepare("elbow")])
        console.rule("[bold]Pretrain and train the three networks", align="left")
        chains = {
            name: [self.pretrain(name), self.train(name), self.evaluate(name)] for name in NETWORKS
        }
        chains[EXPLAINED].append(self.explain())
        run(console, chains["convnext"], chains["efficientnet"] + chains["mobilenet"])
        console.rule("[bold]Fuse them", align="left")
        run(console, [self.fuse(), self.evaluate("ensemble")])
        console.rule("[bold]Report", align="left")
        run(console, [self.write_report()])


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


def areas_by_study(models: Mapping[str, Any]) -> Table:
    """Return the area under the ROC curve of every model, for each way to join a study's images.

    ``models`` is that of a metrics.json.
    """
    ways = next(iter(models.values()))["studies"]["joins"]
    table = Table(title="Test set by study, AP and lateral joined: AUC-ROC")
    table.add_column("model")
    for way in ways:
        table.add_column(way, justify="right")
    for model, metrics in models.items():
        joins = metrics["studies"]["joins"]
        areas = (joins[way]["auroc"]["value"] if way in joins else None for way in ways)
        table.add_row(model, *("-" if area is None else f"{area:.3f}" for area in areas))
    return table


def main() -> None:
    """Run every stage, then print the test set's metrics, by image and by study."""
    console = Console()
    started = time.monotonic()
    demo = Demo()
    demo.run(console)
    models = json.loads((ROOT / demo.report / "metrics.json").read_text(encoding="utf-8"))["models"]
    table = Table(title="Test set, threshold 0.5")
    table.add_column("model")
    for name in METRICS:
        table.add_column(name, justify="right")
    for model, metrics in models.items():
        values = (metrics[name] for name in METRICS)  # precision is None without a positive score
        table.add_row(model, *("-" if value is None else f"{value:.3f}" for value in values))
    console.print(table)
    console.print(areas_by_study(models))
    console.print(f"Report: {demo.report / 'report.html'}", highlight=False)
    console.print(f"{time.monotonic() - started:.0f} s in total", highlight=False)


if __name__ == "__main__":
    main()
