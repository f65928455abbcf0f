"""The whole chain on synthetic radiographs, from nothing to a report: ``make demo``.

Each stage is one of the project's own commands, printed before it runs. A second call goes on where
the first one stopped and repeats nothing.
"""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
RUN = Path("runs/demo/train")
STAGES = (
    ("Draw and prepare the pretraining set", "elbow_core.prepare", "configs/demo/mura_data.yaml"),
    ("Draw and prepare the elbow set", "elbow_core.prepare", "configs/demo/elbow_data.yaml"),
    ("Pretrain", "elbow_jax.train", "configs/demo/pretrain.yaml"),
    ("Train", "elbow_jax.train", "configs/demo/train.yaml"),
)
FIGURES = ("accuracy", "precision", "recall", "f1", "auroc")


def run(console: Console, title: str, arguments: list[str]) -> None:
    """Run one command of the project and stop with its status if it fails."""
    console.rule(f"[bold]{title}", align="left")
    console.print(f"$ python {shlex.join(arguments)}", highlight=False)
    status = subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)


def main() -> None:
    """Run every stage, then show the test set's figures."""
    console = Console()
    began = time.monotonic()
    for title, module, config in STAGES:
        resume = ["--resume"] if module == "elbow_jax.train" else []
        run(console, title, ["-m", module, "--config", config, *resume])
    run(console, "Evaluate", ["-m", "elbow_jax.evaluate", "--run", str(RUN), "--split", "test"])

    report = ROOT / RUN / "report_test"
    models = json.loads((report / "metrics.json").read_text(encoding="utf-8"))["models"]
    table = Table(title="Test set, threshold 0.5")
    table.add_column("model")
    for name in FIGURES:
        table.add_column(name, justify="right")
    for model, figures in models.items():
        table.add_row(model, *(f"{figures[name]:.3f}" for name in FIGURES))
    console.print(table)
    console.print(f"The report: {report.relative_to(ROOT) / 'report.html'}", highlight=False)
    console.print(f"{time.monotonic() - began:.0f} s in all", highlight=False)


if __name__ == "__main__":
    main()
