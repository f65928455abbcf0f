"""Put the models of finished runs into the package, as shipped weights, and draw their curves.

    python -m scripts.ship_weights --runs runs/synthetic

The last step of scripts/pretrain_synthetic.sh. It prints the digests that
elbow_jax/training/initial/shipped.py must name.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from elbow_core.cli import run
from elbow_core.errors import ConfigError
from elbow_core.evaluation.report.figures import COLOURS, canvas, drawn_in_style, panels, save
from elbow_core.files import atomic_file, atomic_folder, sha256_of
from elbow_jax.scoring import read_card

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "elbow_jax/weights"
CURVES = ROOT / "docs/performance/measurements/pretraining.json"
FIGURE = ROOT / "docs/figures/pretraining.png"


def ship(folder: Path) -> tuple[str, dict[str, Any]]:
    """Copy a run's model into the package; return its name there and its curve."""
    model = folder / "model"
    if not model.is_dir():
        raise ConfigError(f"{folder}: is not finished; continue it with --resume first")
    card = read_card(model)
    name = f"{card.architecture.backbone}_{card.architecture.variant}"
    shutil.rmtree(WEIGHTS / name, ignore_errors=True)
    with atomic_folder(WEIGHTS / name) as partial:
        for file in model.iterdir():
            shutil.copyfile(file, partial / file.name)
    print(f'"synthetic/{name}": "{sha256_of(WEIGHTS / name / "model.json")}",')
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    epochs = [row for row in rows if "validation" in row]
    return name, {
        "step": card.step,
        "epoch": [round(row["epoch"]) for row in epochs],
        "auroc": [round(row["validation"]["auroc"], 4) for row in epochs],
        "auroc_of_average": [round(row["validation_average"]["auroc"], 4) for row in epochs],
    }


@drawn_in_style
def draw(curves: dict[str, dict[str, Any]]) -> Figure:
    """Validation AUROC by epoch, of the weights and of their average, a panel a network."""
    figure = canvas(columns=len(curves), width=3.0, height=2.8)
    for axes, (name, curve) in zip(panels(figure), sorted(curves.items()), strict=True):
        axes.plot(curve["epoch"], curve["auroc"], color=COLOURS[0], label="weights")
        axes.plot(curve["epoch"], curve["auroc_of_average"], color=COLOURS[1], label="average")
        axes.set(title=name, xlabel="epoch", ylabel="validation AUROC", ylim=(0.45, 1.0))
        axes.legend(loc="lower right")
    return figure


def main(arguments: Sequence[str]) -> int:
    """Copy the models, and write the curves and their figure."""
    parser = argparse.ArgumentParser(prog="python -m scripts.ship_weights")
    parser.add_argument("--runs", type=Path, default=Path("runs/synthetic"), help="their folder")
    options = parser.parse_args(arguments)
    folders = sorted(path for path in options.runs.iterdir() if (path / "config.yaml").is_file())
    curves = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    curves |= dict(ship(folder) for folder in folders)
    with atomic_file(CURVES) as partial:
        partial.write_text(json.dumps(curves, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    with atomic_file(FIGURE) as partial:
        save(draw(curves), partial)
    print(FIGURE)
    return 0


if __name__ == "__main__":
    run(main)
