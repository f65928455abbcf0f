"""Tables of plain text as spreadsheets write them: commas, semicolons or tabs, UTF-8 or UTF-16."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.tables.cells import restore
from elbow_core.tables.reading import MAX_COLUMNS, MAX_ROWS, decode_text, split_lines
from elbow_core.tables.sheet_cells import EMPTY, SheetCell, text_cell

DELIMITERS = ",;\t"
_SEPARATOR_LINE = re.compile(r"""\A"?sep=(?P<delimiter>[,;\t])"?(?:\r\n|\r|\n)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """A text, and the character between its cells."""

    path: Path
    error: type[UserError]
    text: str
    delimiter: str
    first_row: int
    """Line of the first row: 2 below a line ``sep=;``, which tells a spreadsheet the delimiter."""

    def head(self, rows: int) -> Iterator[tuple[int, list[SheetCell]]]:
        """Yield the first rows, each with its line; empty cells at its end are left out.

        Raises the reader's ``error`` for a text that is no such table.
        """
        for line, texts in islice(self._rows(), rows):
            cells = [text_cell(restore(text)) for text in texts]
            while cells and cells[-1] == EMPTY:
                cells.pop()
            yield line, cells

    def body(self, header: int, columns: Sequence[int]) -> Iterator[tuple[int, list[SheetCell]]]:
        """Yield line and cells of each row below line ``header``, of the columns from 1.

        A row may be shorter than the header: some spreadsheets leave out empty cells at its end.
        Raises the reader's ``error`` for a value beyond the header's columns, which says that a
        delimiter stands inside a cell without quotation marks.
        """
        width = 0
        for line, texts in self._rows():
            if line == header:
                width = len(texts)
            if line <= header:
                continue
            if any(text.strip() for text in texts[width:]):
                raise self.error(
                    f"{self.path}:{line}: {len(texts)} values under {width} columns; put a value "
                    f"that contains {self.delimiter!r} into quotation marks"
                )
            yield line, [self._cell(texts, column) for column in columns]

    def is_hidden(self, number: int) -> bool:
        """Return False: text has no hidden rows."""
        return False

    def _cell(self, texts: Sequence[str], column: int) -> SheetCell:
        return text_cell(restore(texts[column - 1])) if column <= len(texts) else EMPTY

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows with the line in which each begins."""
        lines = split_lines(self.text, self.path, self.error)
        skipped = self.first_row - 1
        reader = csv.reader(lines, strict=True, delimiter=self.delimiter)
        line = self.first_row
        try:
            for number, cells in enumerate(reader):
                if len(cells) > MAX_COLUMNS:
                    raise self.error(
                        f"{self.path}:{line}: has {len(cells)} columns, more than {MAX_COLUMNS}"
                    )
                if number > MAX_ROWS:  # beside the header
                    raise self.error(f"{self.path}:{line}: has more than {MAX_ROWS} rows")
                yield line, cells
                line = skipped + reader.line_num + 1
        except csv.Error as problem:
            raise self.error(f"{self.path}:{line}: is not CSV: {problem}") from problem


def open_texts(data: bytes, path: Path, error: type[UserError]) -> list[DelimitedText]:
    """Return a text as a table of each delimiter, or of that of its line ``sep=``.

    Raises ``error`` as `elbow_core.tables.reading` does; UTF-16 with a byte order mark is read.
    """
    text = decode_text(data, path, error, utf16=True)
    if match := _SEPARATOR_LINE.match(text):
        return [DelimitedText(path, error, text[match.end() :], match["delimiter"], 2)]
    return [DelimitedText(path, error, text, delimiter, 1) for delimiter in DELIMITERS]
