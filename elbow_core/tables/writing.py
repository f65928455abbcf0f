"""The one writer of CSV tables, which `elbow_core.tables.reading` reads back exactly."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from elbow_core.files import atomic_file
from elbow_core.tables.cells import protect

Cell = str | int | float


@runtime_checkable
class Writable(Protocol):
    """An open text file or stream."""

    def write(self, text: str, /) -> object:
        """Write a text."""


def write_csv_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table atomically (UTF-8, LF); text is protected by `elbow_core.tables.cells`.

    Raises `OSError`, and `UserError` as `elbow_core.files.atomic_file` does.
    """
    with (
        atomic_file(path) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        write_csv_rows(file, header, rows)


def write_csv_rows(file: Writable, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table to an open file; a row must have as many cells as the header.

    Reference: RFC 4180.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([protect(name) for name in header])
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} values under {len(header)} columns")
        writer.writerow([protect(cell) if isinstance(cell, str) else cell for cell in row])
