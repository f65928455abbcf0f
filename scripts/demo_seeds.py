"""The demo's pipeline from five seeds: does the ensemble beat every one of its networks?

    python -m scripts.demo_seeds                    # some 25 minutes on two cores after the demo
    python -m scripts.demo_seeds --seeds 0 1 2

Each seed renders other patients and trains anew (`scripts/demo.py`). Finished seeds are skipped and
an interrupted one is resumed. Prints a table in Markdown, and writes its numbers to
docs/performance/measurements/demo_seeds.json.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from scipy.stats import norm

from elbow_core.cli import run
from elbow_core.evaluation import read_predictions
from elbow_core.evaluation.statistics import auroc, clusters_of
from elbow_core.evaluation.statistics.differences import delong
from elbow_core.files import atomic_file
from scripts.demo import MODELS, NETWORKS, ROOT, Demo

RECORD = ROOT / "docs/performance/measurements/demo_seeds.json"
ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class Seed:
    """Test AUROC of each model, and DeLong's difference of the ensemble from each network."""

    seed: int
    images: int
    auroc: dict[str, float]
    difference: dict[str, float]
    error: dict[str, float]
    """Standard error of each difference; images of one patient may be dependent."""

    @property
    def wins(self) -> bool:
        """Whether the ensemble is above every network."""
        return all(value > 0 for value in self.difference.values())


def compare(seed: int, paths: dict[str, Path]) -> Seed:
    """Compare the models of a seed by their scores of its test set."""
    found = {name: read_predictions(path) for name, path in paths.items()}
    fused = found[ENSEMBLE]
    clusters = clusters_of(fused.patient_id)
    areas, differences, errors = {}, {}, {}
    for name, predictions in found.items():
        if not np.array_equal(predictions.image_id, fused.image_id):
            raise ValueError(f"{paths[name]} and {paths[ENSEMBLE]}: are of different images")
        areas[name] = auroc(fused.label, predictions.score)
        if name != ENSEMBLE:
            found_difference = delong(fused.label, fused.score, predictions.score, clusters)
            differences[name] = found_difference.estimate
            width = found_difference.high - found_difference.low
            errors[name] = width / (2 * float(norm.ppf(0.975)))
    return Seed(seed, len(fused.label), areas, differences, errors)


def pooled(seeds: Sequence[Seed], network: str) -> tuple[float, float, float, float]:
    """Return the mean difference of the ensemble from a network over seeds, its interval and p.

    Seeds have different patients, so that their differences are independent: the mean is weighted
    by the inverse of DeLong's variances (a fixed-effect meta-analysis).
    """
    weights = np.array([1 / seed.error[network] ** 2 for seed in seeds])
    mean = float(np.average([seed.difference[network] for seed in seeds], weights=weights))
    error = 1 / math.sqrt(float(weights.sum()))
    half = float(norm.ppf(0.975)) * error
    return mean, mean - half, mean + half, float(2 * norm.sf(abs(mean) / error))


def table(seeds: Sequence[Seed]) -> str:
    """Return the results as Markdown."""
    lines = [
        f"| seed | images | {' | '.join(MODELS)} | ensemble above all |",
        f"|---|---|{'---|' * len(MODELS)}---|",
    ]
    for seed in seeds:
        areas = " | ".join(f"{seed.auroc[name]:.3f}" for name in MODELS)
        lines.append(f"| {seed.seed} | {seed.images} | {areas} | {'yes' if seed.wins else 'no'} |")
    lines += ["", "| ensemble minus | pooled difference (95 % interval) | p |", "|---|---|---|"]
    for name in NETWORKS:
        mean, low, high, p = pooled(seeds, name)
        shown = f"{p:.2g}" if p >= 1e-4 else "< 0.0001"
        lines.append(f"| {name} | {mean:+.4f} ({low:+.4f} to {high:+.4f}) | {shown} |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the seeds that are not finished, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo_seeds")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args(arguments)
    seeds = []
    for number in options.seeds:
        demo = Demo(number)
        demo.run(Console())
        seeds.append(compare(number, {name: ROOT / demo.predictions(name) for name in MODELS}))
    rows = [
        {
            "seed": seed.seed,
            "images": seed.images,
            "auroc": {name: round(value, 4) for name, value in seed.auroc.items()},
            "difference": {name: round(value, 5) for name, value in seed.difference.items()},
            "error": {name: round(value, 5) for name, value in seed.error.items()},
        }
        for seed in seeds
    ]
    with atomic_file(RECORD) as partial:
        partial.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(table(seeds))
    return 0


if __name__ == "__main__":
    run(main)
