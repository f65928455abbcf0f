"""The reader of tables that people keep in a spreadsheet: .xlsx, CSV, tabs.

Each cell that is asked for becomes its plain text, or says why it has none; a file whose meaning is
not plain is refused with its file, sheet, row and column. Nothing is guessed from the content of
cells: the wanted columns find the delimiter and the header.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.identity import normalise_id
from elbow_core.tables.delimited_text import DelimitedText, open_texts
from elbow_core.tables.reading import MAX_PADDED, MAX_ROWS, read_table_bytes
from elbow_core.tables.sheet_cells import SheetCell
from elbow_core.tables.workbook_parts import WorkbookError
from elbow_core.tables.workbooks import WorkbookSheet, is_workbook, open_sheet

MAX_HEADER_ROW = 1000
_ROWS_OF_A_TITLE = 30  # in which a header is looked for, to name its row
_NAMED = 12
_MAX_NAME = 40


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row that has a value in a wanted column."""

    number: int
    """As the spreadsheet counts, from 1; of a text the line in which the row begins."""
    cells: Mapping[str, SheetCell]
    """By the wanted column's name, as it was asked for."""
    hidden: bool
    """The row is hidden, or filtered out."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """The wanted columns of a table."""

    path: Path
    name: str
    """Of the sheet; empty for a text."""
    header: int
    """The row of the columns' names, counted as those below it."""
    letters: Mapping[str, str]
    """The letter of each wanted column, by its name."""
    rows: tuple[SheetRow, ...]

    def place(self, row: SheetRow | None = None, column: str = "") -> str:
        """Return file, sheet, row (by default that of the header) and column, for messages."""
        named = f": column {column!r} ({self.letters[column]})" if column else ""
        return f"{_place(self.path, self.name, row.number if row else self.header)}{named}"


def read_sheet(
    path: Path,
    columns: Sequence[str],
    error: type[UserError] = UserError,
    *,
    sheet: str | None = None,
    header_row: int = 1,
) -> Sheet:
    """Read columns of a table by their names, which are compared by `normalise_id`.

    The content decides whether the file is a workbook (.xlsx, .xlsm) or text: UTF-8, or UTF-16 with
    a byte order mark, with commas, semicolons or tabs, whichever gives the wanted columns. Rows in
    which no wanted column has a value are left out.

    Args:
        path: of the file, of at most 64 MiB.
        columns: names of the wanted columns.
        error: of the class that is raised.
        sheet: name of the sheet; None takes the only one that is not hidden.
        header_row: row of the columns' names, counted from 1.

    Raises ``error``, one line, for a file that cannot be read, is larger than the limits of
    `elbow_core.tables.reading`, is no table, or has a wanted column never or twice.
    """
    try:
        data = read_table_bytes(path, error)
        if is_workbook(data):
            opened: WorkbookSheet | DelimitedText = open_sheet(data, sheet)
            name = opened.name
        else:
            if sheet is not None:
                raise error(f"{path}: is text and has no sheet {sheet!r}; leave the sheet out")
            opened, name = _choose(open_texts(data, path, error), columns, header_row), ""
        header = header_row + opened.first_row - 1
        numbers = _find_columns(opened, columns, header, _place(path, name, header), error)
        rows = tuple(_rows(opened, header, numbers))
    except WorkbookError as problem:
        raise error(f"{path}: {problem}") from problem
    letters = {column: _letter(number) for column, number in numbers.items()}
    table = Sheet(path, name, header, letters, rows)
    _check_size(table, error)
    return table


def _choose(texts: Sequence[DelimitedText], columns: Sequence[str], row: int) -> DelimitedText:
    """Return the text whose delimiter gives the wanted columns, or else the most columns."""

    wanted = {normalise_id(column) for column in columns}

    def fit(text: DelimitedText) -> tuple[int, int]:
        best = (0, 0)
        with contextlib.suppress(UserError):  # It is raised again when the text is read.
            for _, cells in text.head(max(row, _ROWS_OF_A_TITLE)):
                names = _names(cells)
                best = max(best, (len(wanted & set(names)), len(names)))
        return best

    return max(texts, key=fit)


def _find_columns(
    opened: WorkbookSheet | DelimitedText,
    columns: Sequence[str],
    header: int,
    place: str,
    error: type[UserError],
) -> dict[str, int]:
    """Return the number of each wanted column, from 1."""
    head = list(opened.head(max(header, _ROWS_OF_A_TITLE)))
    cells = next((cells for number, cells in head if number == header), [])
    names = _names(cells)
    numbers: dict[str, int] = {}
    for column in columns:
        found = [at for at, name in enumerate(names, start=1) if name == normalise_id(column)]
        if len(found) > 1:
            letters = " and ".join(map(_letter, found))
            raise error(f"{place}: has two columns {column!r}, {letters}; rename one")
        if not found:
            advice = _advice(head, cells, columns, opened.first_row)
            raise error(f"{place}: has no column {column!r}; {advice}")
        numbers[column] = found[0]
    return numbers


def _advice(
    head: Sequence[tuple[int, Sequence[SheetCell]]],
    header: Sequence[SheetCell],
    columns: Sequence[str],
    first: int,
) -> str:
    wanted = {normalise_id(column) for column in columns}
    for number, cells in head:
        if wanted <= set(_names(cells)):
            return f"row {number} has all columns, so set header_row: {number - first + 1}"
    if merged := next((cell.problem for cell in header if cell.problem), ""):
        return f"one of its names {merged}"
    names = [repr(cell.text[:_MAX_NAME]) for cell in header if cell.text]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"its columns are {', '.join(names[:_NAMED]) or 'empty'}{more}"


def _names(cells: Sequence[SheetCell]) -> list[str]:
    return [normalise_id(cell.text) for cell in cells]


def _rows(
    opened: WorkbookSheet | DelimitedText, header: int, numbers: Mapping[str, int]
) -> Iterator[SheetRow]:
    for number, cells in opened.body(header, list(numbers.values())):
        if any(cell.text or cell.problem for cell in cells):
            named = dict(zip(numbers, cells, strict=True))
            yield SheetRow(number, named, opened.is_hidden(number))


def _check_size(table: Sheet, error: type[UserError]) -> None:
    """Raise ``error`` for a table that could not be read back as a manifest."""
    if table.rows and table.rows[-1].number > MAX_ROWS:
        raise error(f"{table.path}: has more than {MAX_ROWS} rows; divide the table")
    limit = MAX_PADDED // max(len(table.rows), 1)
    for row in table.rows:
        for column, cell in row.cells.items():
            if len(cell.text) > limit:
                raise error(
                    f"{table.place(row, column)}: has {len(cell.text)} characters, too many for "
                    f"{len(table.rows)} rows; shorten it"
                )


def _place(path: Path, sheet: str, row: int) -> str:
    return f"{path}: sheet {sheet!r}: row {row}" if sheet else f"{path}:{row}"


def _letter(column: int) -> str:
    """Return the letter of a column from 1, as spreadsheets name it: 27 is AA."""
    letters = ""
    while column:
        column, last = divmod(column - 1, 26)
        letters = chr(65 + last) + letters
    return letters
