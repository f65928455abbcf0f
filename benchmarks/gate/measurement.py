"""Count the images of a table of scores that the input gate flags."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elbow_core.errors import UserError
from elbow_core.evaluation.statistics import wilson
from elbow_core.tables import read_csv_table, require_columns

PASSES = "ok"


def count_flagged(kind: str, table: Path) -> dict[str, Any]:
    """Return the counts of a table of `elbow_jax.predict`: images, rejected ones, flagged ones.

    Raises `UserError` for another table, and for the scores of a model without a gate.
    """
    read = read_csv_table(table, UserError, require_columns("score", "gate", "reason"))
    rows = [row.cells for row in read.rows]
    scored = [row for row in rows if row["score"]]
    if not all(row["gate"] for row in scored):
        raise UserError(f"{table}: the model has no input gate")
    return {
        "kind": kind,
        "images": len(rows),
        "rejected": len(rows) - len(scored),
        "flagged": sum(row["gate"] != PASSES for row in scored),
    }


def describe(kinds: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table; the interval is Wilson's."""
    lines = ["| images | number | rejected | flagged of the others |", "|---|---|---|---|"]
    for found in kinds:
        scored = found["images"] - found["rejected"]
        low, high = wilson(found["flagged"], scored)
        share = (
            f"{found['flagged'] / scored:.1%} ({low:.1%} to {high:.1%})" if scored else "none left"
        )
        lines.append(f"| {found['kind']} | {found['images']} | {found['rejected']} | {share} |")
    return "\n".join(lines)
