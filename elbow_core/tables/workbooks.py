"""Sheets of .xlsx files, read with openpyxl, which is imported only here."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from elbow_core.errors import library_reason
from elbow_core.tables.reading import MAX_COLUMNS
from elbow_core.tables.sheet_cells import EMPTY, SheetCell, typed_cell
from elbow_core.tables.workbook_parts import SheetLayout, WorkbookError, look_through

_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_MARKUP = (b"<html", b"<!doctype", b"<table", b"<?xml", b"{\\rtf", b"%pdf")
_NO_VALUE = "is a formula without a stored value; open the file in a spreadsheet and save it"
_VISIBLE = "visible"


def is_workbook(data: bytes) -> bool:
    """Say whether a file's content is a workbook of any kind, and not a table of plain text.

    Old and encrypted workbooks, and pages and documents that are named like one, count as well;
    `open_sheet` refuses them by name.
    """
    start = data[:100].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return data.startswith((_OLD_WORKBOOK, _ZIP, _EMPTY_ZIP)) or start.startswith(_MARKUP)


@dataclass(frozen=True, slots=True)
class WorkbookSheet:
    """An open sheet."""

    name: str
    _sheet: Any
    _layout: SheetLayout
    first_row: int = 1

    def head(self, rows: int) -> Iterator[tuple[int, list[SheetCell]]]:
        """Yield the first rows, each with its number from 1; empty cells at its end are left out.

        Raises `WorkbookError` for a damaged sheet.
        """
        with _reading():
            found = list(islice(self._rows(), rows))
        for number, cells in found:
            values = [self._cell(number, column, cells) for column in range(1, len(cells) + 1)]
            while values and values[-1] == EMPTY:
                values.pop()
            yield number, values

    def body(self, header: int, columns: Sequence[int]) -> list[tuple[int, list[SheetCell]]]:
        """Return number and cells of the rows below row ``header``, of the columns from 1.

        Rows without any content may be left out. Raises `WorkbookError` for a damaged sheet.
        """
        special = self._layout.merged.keys() | {row for row, _ in self._layout.uncached}
        with _reading():
            return [
                (number, [self._cell(number, column, cells) for column in columns])
                for number, cells in self._rows()
                if number > header and (number in special or _has_value(cells, columns))
            ]

    def is_hidden(self, number: int) -> bool:
        """Say whether a row is hidden, or filtered out."""
        return number in self._layout.hidden

    def _rows(self) -> Iterator[tuple[int, Sequence[Any]]]:
        if not self._layout.last:
            return iter(())
        rows = self._sheet.iter_rows(min_row=1, max_row=self._layout.last, max_col=MAX_COLUMNS)
        return enumerate(rows, start=1)

    def _cell(self, number: int, column: int, cells: Sequence[Any]) -> SheetCell:
        """Return a cell of a row; one that is merged or has no stored value has a problem."""
        for left, right, reference in self._layout.merged.get(number, ()):
            if left <= column <= right:
                problem = f"is merged ({reference}); unmerge it and fill in each cell"
                return SheetCell("", "text", problem)
        if (number, column) in self._layout.uncached:
            return SheetCell("", "text", _NO_VALUE)
        cell = cells[column - 1] if column <= len(cells) else None
        if cell is None or cell.value is None:
            return EMPTY
        if cell.data_type == "e":
            problem = f"is {cell.value}, an error of the spreadsheet; correct it"
            return SheetCell("", "text", problem)
        plain = typed_cell(cell.value)
        if plain.kind == "number" and plain.text.isdecimal() and cell.number_format != "General":
            return _with_shown_zeros(plain, cell.number_format)
        return plain


def open_sheet(data: bytes, name: str | None) -> WorkbookSheet:
    """Open a sheet by its name, or the only one that is not hidden; stored values alone are read.

    No formula is computed, no macro run, no link followed. openpyxl parses XML with what is
    installed, `xml.etree` or lxml, and takes precautions against entities only where defusedxml is
    installed too; `look_through` has refused them before.

    Raises `WorkbookError` for a file that cannot be read, a sheet that does not exist, several
    sheets where none is named, and where openpyxl is not installed.
    """
    _refuse_other_files(data)
    layouts = look_through(data)
    try:
        from openpyxl.reader.excel import ExcelReader
    except ImportError as error:
        raise WorkbookError(
            "needs openpyxl; install it with: pip install 'elbow-radiographs[spreadsheets]', or "
            "save the table as CSV"
        ) from error
    with _reading():
        reader = ExcelReader(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        reader.read()
        parts = {sheet.name: part.target for sheet, part in reader.parser.find_sheets()}
    sheets = {sheet.title: sheet for sheet in reader.wb.worksheets}
    chosen = _choose(name, {title: sheet.sheet_state for title, sheet in sheets.items()})
    layout = layouts.get(parts[chosen])
    if layout is None:
        raise WorkbookError(f"has a damaged sheet {chosen!r}; save it again as .xlsx")
    return WorkbookSheet(chosen, sheets[chosen], layout)


def _choose(name: str | None, states: dict[str, str]) -> str:
    """Return the sheet to read, of the sheets and whether each is visible."""
    visible = [title for title, state in states.items() if state == _VISIBLE]
    listed = ", ".join(f"{title!r}{'' if title in visible else ' (hidden)'}" for title in states)
    if name is not None:
        if name not in states:
            raise WorkbookError(f"has no sheet {name!r}; its sheets are {listed or 'none'}")
        return name
    if len(visible) != 1:
        raise WorkbookError(f"has {len(visible)} visible sheets; name one of {listed or 'none'}")
    return visible[0]


def _refuse_other_files(data: bytes) -> None:
    if data.startswith(_OLD_WORKBOOK):
        encrypted = "EncryptedPackage".encode("utf-16-le") in data
        raise WorkbookError(
            "is encrypted; save it without a password"
            if encrypted
            else "is an old workbook (.xls) or another file of its kind; save it as .xlsx"
        )
    if not data.startswith((_ZIP, _EMPTY_ZIP)):
        raise WorkbookError(
            "is a page, a document or XML, whatever its name; open it in a spreadsheet and save it "
            "as .xlsx"
        )


def _with_shown_zeros(cell: SheetCell, number_format: str) -> SheetCell:
    """Return a whole number with the leading zeros that a format such as ``00000`` shows."""
    return replace(cell, text=cell.text.zfill(len(number_format) * (not number_format.strip("0"))))


def _has_value(cells: Sequence[Any], columns: Sequence[int]) -> bool:
    return any(column <= len(cells) and cells[column - 1].value is not None for column in columns)


@contextmanager
def _reading() -> Iterator[None]:
    """A block in which openpyxl reads; raises `WorkbookError` where a damaged file ends it."""
    try:
        with warnings.catch_warnings():
            # Of styles and extensions that are not kept.
            warnings.simplefilter("ignore")
            yield
    except (MemoryError, WorkbookError):
        raise
    except Exception as error:  # Of any kind: parts may contain anything.
        raise WorkbookError(f"is a damaged workbook: {library_reason(error)}") from error
