"""The table of rejected files, ``rejected.csv``."""

from collections.abc import Sequence
from pathlib import Path

from elbow_core.errors import RadiographError
from elbow_core.prepare.private_names import PrivateNames
from elbow_core.sources import Rejection
from elbow_core.tables import write_csv_table


def reason_of(error: RadiographError, path: str) -> str:
    """Return an error's message without the file's name, which contains the path of the root."""
    return str(error).rpartition(f"{path}: ")[2]


def write_rejected(
    path: Path, rejected: Sequence[Rejection], names: PrivateNames | None = None
) -> None:
    """Write rejected files and reasons as CSV, sorted; with ``names`` those of files are hidden."""
    rows = [(entry.path, entry.reason) for entry in rejected]
    if names:
        rows = [(names.hide(file), names.hide_own(reason, file)) for file, reason in rows]
    write_csv_table(path, ("path", "reason"), sorted(rows))
