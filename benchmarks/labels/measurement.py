"""Labels that are flipped on purpose, and how early a ranking shows them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from elbow_core.dataset import read_manifest
from elbow_core.evaluation import read_predictions
from elbow_core.evaluation.labels import label_quality
from elbow_core.evaluation.statistics import Labels, auroc, wilson
from elbow_core.prepare import CORRECTION_COLUMNS
from elbow_core.tables import write_csv_table

SHARES = (0.05, 0.1, 0.2)
COMMAND = "class-adjusted self-confidence"
"""The ranking of `python -m elbow_core.evaluation.labels`."""


def write_flips(prepared: Path, path: Path, share: float, seed: int) -> frozenset[str]:
    """Write corrections that flip a share of all labels at random; return the images' ids."""
    rows = sorted(read_manifest(prepared / "manifest.csv"), key=lambda row: row.image_id)
    rng = np.random.default_rng(seed)
    chosen = sorted(rng.choice(len(rows), round(share * len(rows)), replace=False).tolist())
    flips = [
        (rows[number].image_id, rows[number].label, 1 - rows[number].label, "change", "")
        for number in chosen
    ]
    write_csv_table(path, CORRECTION_COLUMNS, flips)
    return frozenset(rows[number].image_id for number in chosen)


def measure_ranking(seed: int, path: Path, flipped: frozenset[str]) -> dict[str, Any]:
    """Return the shares of the flipped labels in the first part of each ranking."""
    found = read_predictions(path)
    wrong = np.array([image in flipped for image in found.image_id.tolist()])
    true = np.where(wrong, 1 - found.label, found.label)
    found_shares = {
        name: {f"{share:g}": found_in_first(quality, wrong, share) for share in SHARES}
        for name, quality in rankings(found.label, found.score).items()
    }
    return {
        "seed": seed,
        "images": len(found),
        "flipped": int(wrong.sum()),
        "auroc_given": auroc(found.label, found.score),
        "auroc_true": auroc(true, found.score),
        "found": found_shares,
    }


def rankings(
    labels: Labels, scores: Float64[np.ndarray, " n"]
) -> dict[str, Float64[np.ndarray, " n"]]:
    """Return the quality of each label by each way to rank, the least first."""
    return {
        "self-confidence": np.where(labels == 1, scores, 1 - scores),
        COMMAND: label_quality(labels, scores),
    }


def found_in_first(
    quality: Float64[np.ndarray, " n"], wrong: Bool[np.ndarray, " n"], share: float
) -> int:
    """Return the number of wrong labels among the first ``share`` of the ranking."""
    first = np.argsort(quality, kind="stable")[: round(share * wrong.size)]
    return int(wrong[first].sum())


def describe(seeds: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table: a row for each seed, and for more than one their sum."""
    header = ["seed", "images", "flipped", "AUROC, given labels", "AUROC, true labels"]
    header += [f"{name}: first {share:.0%}" for name in seeds[0]["found"] for share in SHARES]
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    for entry in seeds:
        cells = [str(entry[name]) for name in ("seed", "images", "flipped")]
        cells += [f"{entry[name]:.3f}" for name in ("auroc_given", "auroc_true")]
        cells += [
            f"{count / entry['flipped']:.0%}"
            for shares in entry["found"].values()
            for count in shares.values()
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if len(seeds) > 1:
        total = sum(entry["flipped"] for entry in seeds)
        cells = ["all", str(sum(entry["images"] for entry in seeds)), str(total), "", ""]
        for name in seeds[0]["found"]:
            for share in SHARES:
                count = sum(entry["found"][name][f"{share:g}"] for entry in seeds)
                low, high = wilson(count, total)
                cells.append(f"{count / total:.0%} ({low:.0%} to {high:.0%})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
