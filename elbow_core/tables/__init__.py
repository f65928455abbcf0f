"""Tables: one strict reader and one writer of CSV, a reader of spreadsheets, plain numbers.

`read_csv_table` reads what the project writes and what data sets publish, `read_sheet` what people
keep in a spreadsheet (.xlsx, semicolons, tabs). No cell that is written can be computed by a
spreadsheet.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.tables.plain_numbers import parse_number, parse_whole_number
    from elbow_core.tables.reading import (
        CsvTable,
        read_csv_rows,
        read_csv_table,
        require_columns,
    )
    from elbow_core.tables.sheet_cells import SheetCell
    from elbow_core.tables.spreadsheets import MAX_HEADER_ROW, Sheet, SheetRow, read_sheet
    from elbow_core.tables.writing import write_csv_rows, write_csv_table

__all__ = [
    "MAX_HEADER_ROW",
    "CsvTable",
    "Sheet",
    "SheetCell",
    "SheetRow",
    "parse_number",
    "parse_whole_number",
    "read_csv_rows",
    "read_csv_table",
    "read_sheet",
    "require_columns",
    "write_csv_rows",
    "write_csv_table",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "plain_numbers": ["parse_number", "parse_whole_number"],
        "reading": ["CsvTable", "read_csv_rows", "read_csv_table", "require_columns"],
        "sheet_cells": ["SheetCell"],
        "spreadsheets": ["MAX_HEADER_ROW", "Sheet", "SheetRow", "read_sheet"],
        "writing": ["write_csv_rows", "write_csv_table"],
    },
)
