"""The one reader of CSV tables.

It takes what a table plainly says and refuses the rest with file and line: nothing is guessed, and
no cell is trimmed or converted in passing. Cells that `elbow_core.csv_writing` protected from
spreadsheets get their text back (`elbow_core.table_cells`).
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.identity import has_outer_blanks
from elbow_core.table_cells import restore

_WIDE_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: its line in the file, counted from 1 (its last one, if a cell has line breaks)."""

    line: int
    cells: Mapping[str, str]
    """By column; columns without a name are left out."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A table with named columns."""

    path: Path
    header_line: int
    columns: tuple[str, ...]
    """In the file's order; empty for a file without a line."""
    rows: tuple[CsvRow, ...]

    def place(self, row: CsvRow | None = None) -> str:
        """Return ``file:line`` of a row, by default of the header, for error messages."""
        return f"{self.path}:{self.header_line if row is None else row.line}"


def read_csv_table(
    path: Path,
    error: type[UserError] = UserError,
    check_columns: Callable[[tuple[str, ...], str], None] | None = None,
    *,
    comments: bool = False,
) -> CsvTable:
    """Read a table whose first line names its columns; cells keep every character.

    UTF-8 with or without a byte order mark, any line end, and quoted cells are accepted; empty
    lines are skipped, and with ``comments`` those that begin with ``#``. ``check_columns`` gets the
    columns and the header's ``file:line``, and raises for the wrong ones before any row is looked
    at.

    Raises ``error``, ``file:line: problem``, for a file that cannot be read, is not UTF-8, contains
    a null byte or is not CSV; for a column that is repeated, or whose name starts or ends with a
    blank of any kind or an invisible character; and for a row with more or fewer cells than the
    header.
    """
    numbered = read_csv_rows(path, error, comments=comments)
    line, header = numbered[0] if numbered else (1, [])
    _refuse_columns(header, f"{path}:{line}", error)
    if check_columns is not None:
        check_columns(tuple(header), f"{path}:{line}")
    rows = []
    for number, cells in numbered[1:]:
        if len(cells) != len(header):
            raise error(f"{path}:{number}: {len(cells)} values under {len(header)} columns")
        named = {name: cell for name, cell in zip(header, cells, strict=True) if name}
        rows.append(CsvRow(number, named))
    return CsvTable(path, line, tuple(header), tuple(rows))


def read_csv_rows(
    path: Path, error: type[UserError] = UserError, *, comments: bool = False
) -> list[tuple[int, list[str]]]:
    """Read the rows of a table without a header, of any widths, each with its line.

    Raises ``error`` as `read_csv_table` does.

    Reference: RFC 4180.
    """
    lines = io.StringIO(_read_text(path, error), newline="")
    kept: Iterable[str] = lines
    if comments:
        # An empty line keeps the count of lines.
        kept = ("\n" if line.startswith("#") else line for line in lines)
    reader = csv.reader(kept, strict=True)
    try:
        return [
            (reader.line_num, [restore(cell) for cell in cells])
            for cells in reader
            if cells and (len(cells) > 1 or cells[0].strip())
        ]
    except csv.Error as problem:
        raise error(f"{path}:{reader.line_num}: is not CSV: {problem}") from problem


def _read_text(path: Path, error: type[UserError]) -> str:
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from problem
    for mark, name in _WIDE_ENCODINGS:
        if data.startswith(mark):
            raise error(f"{path}: cannot be read: it is {name} text; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise error(
            f"{path}: cannot be read: line {line} is not UTF-8 text; save it as UTF-8"
        ) from problem
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise error(f"{path}:{line}: contains a null byte; save it as UTF-8 text")
    return text


def _refuse_columns(header: Sequence[str], place: str, error: type[UserError]) -> None:
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        raise error(f"{place}: one column, {header[0]!r}; separate the columns by commas")
    for name in header:
        if has_outer_blanks(name):
            raise error(
                f"{place}: the column name {name!r} starts or ends with a blank or an invisible "
                "character; remove it"
            )
    if repeated := sorted({name for name in header if name and header.count(name) > 1}):
        raise error(f"{place}: repeated columns: {', '.join(repeated)}")
