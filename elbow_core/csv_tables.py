"""The one reader of CSV tables, and of the numbers in them.

It takes what a table plainly says and refuses the rest with file and line: nothing is guessed, and
no cell is trimmed or converted in passing.
"""

import codecs
import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.identity import has_outer_blanks

_WIDE_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


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
    path: Path, error: type[UserError] = UserError, *, comments: bool = False
) -> CsvTable:
    """Read a table whose first line names its columns; cells keep every character.

    UTF-8 with or without a byte order mark, any line end, and quoted cells are accepted; empty
    lines are skipped, and with ``comments`` those that begin with ``#``.

    Raises ``error``, ``file:line: problem``, for a file that cannot be read, is not UTF-8, contains
    a null byte or is not CSV; for a column that is repeated, or whose name starts or ends with a
    blank of any kind or an invisible character; and for a row with more or fewer cells than the
    header.
    """
    numbered = read_csv_rows(path, error, comments=comments)
    if not numbered:
        return CsvTable(path, 1, (), ())
    line, header = numbered[0]
    _check_columns(header, f"{path}:{line}", error)
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
            (reader.line_num, cells)
            for cells in reader
            if cells and (len(cells) > 1 or cells[0].strip())
        ]
    except csv.Error as problem:
        raise error(f"{path}:{reader.line_num}: is not CSV: {problem}") from problem


def parse_number(text: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return the number that a text plainly is: decimal ASCII digits, a point, an exponent.

    Python's `float` also takes ``1_000``, ``nan``, ``inf``, blanks around the number and digits of
    every script, and makes ``1e999`` infinite; these are refused.

    Raises `ValueError`, whose message begins with the text, also outside ``low`` to ``high``.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not (math.isfinite(value) and low <= value <= high):
        limited = math.isfinite(low) or math.isfinite(high)
        limits = f" from {low:g} to {high:g}" if limited else ""
        comma = "; write a decimal point" if _DECIMAL_COMMA.fullmatch(text) else ""
        raise ValueError(f"{text!r} is not a number{limits}{comma}")
    return value


def parse_whole_number(text: str) -> int:
    """Return a whole number from 0 to 999 999 999, written without leading zeros.

    Raises `ValueError`, whose message begins with the text.
    """
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


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


def _check_columns(header: Sequence[str], place: str, error: type[UserError]) -> None:
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
