"""CSV tables: one strict reader, one writer, cells that no spreadsheet executes, plain numbers."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.tables.plain_numbers import parse_number, parse_whole_number
    from elbow_core.tables.reading import CsvTable, read_csv_rows, read_csv_table
    from elbow_core.tables.writing import write_csv_rows, write_csv_table

__all__ = [
    "CsvTable",
    "parse_number",
    "parse_whole_number",
    "read_csv_rows",
    "read_csv_table",
    "write_csv_rows",
    "write_csv_table",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "plain_numbers": ["parse_number", "parse_whole_number"],
        "reading": ["CsvTable", "read_csv_rows", "read_csv_table"],
        "writing": ["write_csv_rows", "write_csv_table"],
    },
)
