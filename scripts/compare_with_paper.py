"""Put the figures of a reproduction beside the report's own, with intervals.

    python scripts/compare_with_paper.py --ours runs/paper/report_test/metrics.json --out F.md

A model stands in the row of its name: convnext, efficientnet, mobilenet, ensemble, medgemma,
llava_rad. What has not been run is left open. The report's figures are quoted, never met: no
confusion matrix over its test set gives any row of them (docs/evaluation.md).
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_core.files import atomic_file

REPORT = Path(__file__).parent.parent / "configs/audit/paper_results.csv"
FIGURES = ("accuracy", "precision", "recall", "f1", "auroc")


def read_report() -> dict[str, dict[str, str]]:
    """The report's Tables 4.1 and 4.2 as printed, by model."""
    with REPORT.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["model"]: row for row in rows}


def table(ours: dict[str, Any]) -> str:
    """Markdown: for each of the report's models its figures, then those of `metrics.json`."""
    models = {_plain(name): figures for name, figures in ours["models"].items()}
    report = read_report()
    known = {_plain(name) for name in report}
    if unknown := [name for name in ours["models"] if _plain(name) not in known]:
        raise UserError(f"{', '.join(unknown)}: the report has no such model ({', '.join(report)})")
    lines = [
        "| model | | " + " | ".join(FIGURES) + " |",
        "|---|---|" + "---|" * len(FIGURES),
    ]
    for name, printed in report.items():
        lines.append(f"| {name} | report | " + " | ".join(printed[f] for f in FIGURES) + " |")
        figures = models.get(_plain(name))
        cells = ["not run"] * len(FIGURES) if figures is None else _cells(figures)
        lines.append("| | ours | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cells(figures: dict[str, Any]) -> list[str]:
    cells = []
    for name in FIGURES:
        interval = figures["intervals"][name]
        value = "-" if figures[name] is None else f"{figures[name]:.3f}"
        ends = [interval.get(end) for end in ("low", "high")]
        cells.append(value if None in ends else f"{value} ({ends[0]:.3f} to {ends[1]:.3f})")
    return cells


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def main(arguments: Sequence[str]) -> int:
    """Write the table and show it."""
    parser = argparse.ArgumentParser(prog="python scripts/compare_with_paper.py")
    parser.add_argument("--ours", type=Path, required=True, help="metrics.json of a report")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    options = parser.parse_args(arguments)
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
