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
from elbow_jax.publish import write_page
from elbow_jax.scoring import read_card

ROOT = Path(__file__).parent.parent
NETWORKS = ("mobilenet", "efficientnet", "convnext")
STAGES = ("elbows", "all parts")
ABOUT = (
    "All of them are synthetic radiographs, which `elbow_core.sources.synthetic` draws: it has "
    "never seen a patient. It is meant as first weights, `init: synthetic/{}`."
)
WEIGHTS = ROOT / "elbow_jax/weights"
CURVES = ROOT / "docs/performance/measurements/pretraining.json"
FIGURE = ROOT / "docs/figures/pretraining.png"


def ship(runs: Path, network: str) -> tuple[str, dict[str, Any]]:
    """Copy the model of a network's last stage into the package; return its name and its curve."""
    model = runs / network / "model"
    if not model.is_dir():
        raise ConfigError(f"{runs / network}: is not finished; continue it with --resume first")
    card = read_card(model)
    name = f"{card.architecture.backbone}_{card.architecture.variant}"
    shutil.rmtree(WEIGHTS / name, ignore_errors=True)
    with atomic_folder(WEIGHTS / name) as partial:
        for file in model.iterdir():
            shutil.copyfile(file, partial / file.name)
    write_page(WEIGHTS / name, licence="apache-2.0", about=ABOUT.format(name))
    print(f'"synthetic/{name}": "{sha256_of(WEIGHTS / name / "model.json")}",')
    folders = (runs / f"{network}_elbow", runs / network)
    return name, {stage: curve(run) for stage, run in zip(STAGES, folders, strict=True)}


def curve(run: Path) -> dict[str, list[float]]:
    """Return the validation AUROC after each epoch of a run: of the weights, of their average."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = [row for row in rows if "validation" in row]
    return {
        "auroc": [round(row["validation"]["auroc"], 4) for row in epochs],
        "auroc_of_average": [round(row["validation_average"]["auroc"], 4) for row in epochs],
    }


@drawn_in_style
def draw(curves: dict[str, dict[str, Any]]) -> Figure:
    """Validation AUROC by epoch, of the weights and of their average, a panel a network."""
    figure = canvas(columns=len(curves), width=3.0, height=2.8)
    for axes, (name, stages) in zip(panels(figure), sorted(curves.items()), strict=True):
        first = 1
        for stage in STAGES:
            values = stages[stage]
            epochs = range(first, first + len(values["auroc"]))
            named = stage == STAGES[0]
            for key, colour, label in (
                ("auroc", COLOURS[0], "weights"),
                ("auroc_of_average", COLOURS[1], "average"),
            ):
                axes.plot(epochs, values[key], color=colour, label=label if named else None)
            axes.text(first, 0.47, stage)
            first = epochs.stop
        axes.set(title=name, xlabel="epoch", ylabel="validation AUROC", ylim=(0.45, 1.0))
        axes.legend(loc="center right")
    return figure


def main(arguments: Sequence[str]) -> int:
    """Copy the models, and write the curves and their figure."""
    parser = argparse.ArgumentParser(prog="python -m scripts.ship_weights")
    parser.add_argument("--runs", type=Path, default=Path("runs/synthetic"), help="their folder")
    options = parser.parse_args(arguments)
    curves = dict(ship(options.runs, network) for network in NETWORKS)
    with atomic_file(CURVES) as partial:
        partial.write_text(json.dumps(curves, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    with atomic_file(FIGURE) as partial:
        save(draw(curves), partial)
    print(FIGURE)
    return 0


if __name__ == "__main__":
    run(main)
