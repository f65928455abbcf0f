"""The log of a run, ``metrics.jsonl``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elbow_core.files import atomic_file, sweep


class MetricsLog:
    """``metrics.jsonl``, one row at a time; on resuming, rows after step ``after`` are dropped.

    Rows contain no times, so that a resumed run writes the same bytes.
    """

    def __init__(self, path: Path, after: int) -> None:
        sweep(path.parent)  # of what a killed process left
        kept: list[str] = []
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            # A killed run can leave an incomplete last line.
            complete = [line for line in lines if line.endswith("\n")]
            kept = [line for line in complete if json.loads(line)["step"] <= after]
        with atomic_file(path) as partial:
            partial.write_text("".join(kept), encoding="utf-8")
        self._path = path

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; it must contain ``step``."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
