"""Compare the metrics of a reproduction with those printed in the paper.

    python -m scripts.compare_with_paper --ours runs/paper/report_test/metrics.json --out F.md

A model is matched by its name: convnext, efficientnet, mobilenet, ensemble, medgemma, llava_rad. A
model that has not been run is marked so; the report's mean of calibrated scores, which the paper
lacks, is the last row. The paper's metrics are quoted and are not targets: no
confusion matrix over its test set gives any row of them (docs/evaluation.md).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file, require_output_file
from elbow_core.tables import read_csv_table

PAPER_RESULTS = Path(__file__).parent.parent / "configs/audit/paper_results.csv"
TITLE = "| model | | "
METRICS = ("accuracy", "precision", "recall", "f1", "auroc")


def read_paper() -> dict[str, Mapping[str, str]]:
    """Read the paper's Tables 4.1 and 4.2 as printed, by model."""
    rows = read_csv_table(PAPER_RESULTS, comments=True).rows
    return {row.cells["model"]: row.cells for row in rows}


def table(ours: dict[str, Any]) -> str:
    """Return Markdown with two rows per model: the paper's metrics, and ours with intervals.

    ``ours`` is the content of a metrics.json. Raises `UserError` for a model that the paper lacks.
    """
    mean = ours.get("mean", {}).get("model")  # reports of earlier versions have none
    models = {_key(name): model for name, model in ours["models"].items()}
    paper = read_paper()
    known = {_key(name) for name in paper}
    if unknown := [name for name in ours["models"] if _key(name) not in known and name != mean]:
        raise UserError(f"{', '.join(unknown)}: the paper has no such model ({', '.join(paper)})")
    lines = [
        TITLE + " | ".join(METRICS) + " |",
        "|---|---|" + "---|" * len(METRICS),
    ]
    for name, printed in paper.items():
        lines.append(f"| {name} | paper | " + " | ".join(printed[m] for m in METRICS) + " |")
        model = models.get(_key(name))
        cells = ["not run"] * len(METRICS) if model is None else _cells(model)
        lines.append("| | ours | " + " | ".join(cells) + " |")
    if mean:
        lines.append(f"| {mean} | ours | " + " | ".join(_cells(ours["models"][mean])) + " |")
    return "\n".join(lines) + "\n"


def _cells(model: dict[str, Any]) -> list[str]:
    cells = []
    for name in METRICS:
        interval = model["intervals"][name]
        value = "-" if model[name] is None else f"{model[name]:.3f}"
        ends = [interval.get(end) for end in ("low", "high")]
        cells.append(value if None in ends else f"{value} ({ends[0]:.3f} to {ends[1]:.3f})")
    return cells


def _key(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def main(arguments: Sequence[str]) -> int:
    """Write and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.compare_with_paper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ours", type=Path, required=True, help="metrics.json of a report")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    options = parser.parse_args(arguments)
    require_output_file(options.out, "--out", mark=TITLE)
    try:
        ours = json.loads(options.ours.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{options.ours}: cannot be read ({error})") from error
    text = table(ours)
    with atomic_file(options.out) as partial:
        partial.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    run(main)
