"""The one reader of CSV tables.

It takes what a table plainly says and refuses the rest with file and line: nothing is guessed, and
no cell is trimmed or converted in passing. Cells that `elbow_core.tables.writing` protected from
spreadsheets get their text back (`elbow_core.tables.cells`).
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files import read_regular
from elbow_core.identity import has_outer_blanks
from elbow_core.tables.cells import restore

MAX_BYTES = 2**26
"""Ten times the manifest of MURA, the largest set that is read here."""
MAX_ROWS = 1_000_000
MAX_COLUMNS = 1000
MAX_CELL = 2**15 - 1
"""Characters, as in a spreadsheet; a path of Linux fits, with each of its bytes escaped."""
MAX_PADDED = 2**27
"""Rows times characters of the longest cell: in an array of text, each row has that room."""
_OPENED_BY_THE_SHELL = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_MAX_LINE = 2**17  # below the limit of the module csv, which counts quoted line ends too
_LINE_END = re.compile(r"\r\n|\r|\n|\Z")

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


def require_columns(*names: str) -> Callable[[tuple[str, ...], str], None]:
    """Return a check for `read_csv_table`: a table may have further columns, but must have these.

    It raises `UserError` that names the missing ones.
    """

    def check(columns: tuple[str, ...], place: str) -> None:
        if missing := [name for name in names if name not in columns]:
            raise UserError(f"{place}: has no column {', '.join(missing)}")

    return check


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
    a null byte, is not CSV, or is larger than the limits of this module; for a column that is
    repeated, or whose name starts or ends with a blank of any kind or an invisible character; and
    for a row with more or fewer cells than the header.
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
    text = decode_text(read_table_bytes(path, error), path, error)
    lines: Iterable[str] = split_lines(text, path, error)
    if comments:
        # An empty line keeps the count of lines.
        lines = ("\n" if line.startswith("#") else line for line in lines)
    reader = csv.reader(lines, strict=True)
    rows: list[tuple[int, list[str]]] = []
    longest, longest_place = 0, ""
    try:
        for cells in reader:
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            place = f"{path}:{reader.line_num}"
            if len(cells) > MAX_COLUMNS:
                raise error(f"{place}: has {len(cells)} columns, more than {MAX_COLUMNS}")
            if len(rows) == MAX_ROWS:
                raise error(f"{place}: has more than {MAX_ROWS} rows; divide the table")
            if (length := max(map(len, cells))) > longest:
                longest, longest_place = length, place
            rows.append((reader.line_num, [restore(cell) for cell in cells]))
    except csv.Error as problem:
        raise error(f"{path}:{reader.line_num}: is not CSV: {problem}") from problem
    if longest > min(MAX_CELL, MAX_PADDED // max(len(rows), 1)):
        raise error(f"{longest_place}: a cell has {longest} characters, too many; shorten it")
    return rows


def split_lines(text: str, path: Path, error: type[UserError]) -> Iterator[str]:
    """Yield the lines of a text with their ends, none longer than a row may be."""
    position = 0
    for number, end in enumerate(_LINE_END.finditer(text), start=1):
        if end.end() - position > _MAX_LINE:
            raise error(f"{path}:{number}: the line has more than {_MAX_LINE} characters")
        if end.end() > position:
            yield text[position : end.end()]
        position = end.end()


def read_table_bytes(path: Path, error: type[UserError] = UserError) -> bytes:
    """Return the content of a table, or of a pipe that the shell has opened for the command.

    Another pipe might never end. Raises ``error`` for a file that cannot be read or has more than
    `MAX_BYTES`.
    """
    try:
        if str(path).startswith(_OPENED_BY_THE_SHELL):
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        else:
            data = read_regular(path, MAX_BYTES + 1)
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from problem
    if len(data) > MAX_BYTES:
        raise error(f"{path}: is larger than {MAX_BYTES >> 20} MiB; divide the table")
    return data


def decode_text(
    data: bytes, path: Path, error: type[UserError] = UserError, *, utf16: bool = False
) -> str:
    """Return the text of a table in UTF-8, or also in UTF-16 with a byte order mark.

    Raises ``error`` for other bytes and for a null character, with the line.
    """
    mark, name = next(((m, n) for m, n in _WIDE_ENCODINGS if data.startswith(m)), (b"", "UTF-8"))
    if mark and not (utf16 and name == "UTF-16"):
        raise error(f"{path}: cannot be read: it is {name} text; save it as UTF-8")
    try:
        text = data.decode("utf-16" if mark else "utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].decode("utf-16" if mark else "latin-1").count("\n") + 1
        raise error(
            f"{path}: cannot be read: line {line} is not {name} text; save it as UTF-8"
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
