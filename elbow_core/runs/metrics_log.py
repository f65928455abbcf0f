"""The log of a run, ``metrics.jsonl``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elbow_core.errors import UserError
from elbow_core.files import atomic_file, parse_json, read_regular, sweep

_MAX_LOG = 1 << 30


class MetricsLog:
    """``metrics.jsonl``, one row at a time; on resuming, rows after step ``after`` are dropped.

    Rows contain no times, so that a resumed run writes the same bytes.

    Raises:
        UserError: the file contains a line that is no row.
        OSError: it cannot be read or is not a regular file.
    """

    def __init__(self, path: Path, after: int) -> None:
        sweep(path.parent)  # of what a killed process left
        kept = _rows_until(path, after)
        with atomic_file(path) as partial:
            partial.write_bytes(b"".join(kept))
        self._path = path

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; it must contain ``step``."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _rows_until(path: Path, step: int) -> list[bytes]:
    """Return the lines of the rows up to a step; none if there is no file."""
    try:
        lines = read_regular(path, _MAX_LOG).splitlines(keepends=True)
    except FileNotFoundError:
        return []
    # A killed run can leave an incomplete last line.
    complete = [line for line in lines if line.endswith(b"\n")]
    return [line for number, line in enumerate(complete, 1) if _step(path, number, line) <= step]


def _step(path: Path, number: int, line: bytes) -> int:
    try:
        match parse_json(line):
            case {"step": int(step)}:
                return step
    except ValueError:
        pass
    raise UserError(
        f"{path}:{number}: is not a row of the log of a run; restore the file, or delete it to go "
        "on without the rows so far"
    )
