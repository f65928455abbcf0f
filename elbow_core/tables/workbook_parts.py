"""Look through the parts of an .xlsx file before a library opens it.

A workbook is a ZIP file of XML. Its declared size bounds what is inflated (`zipfile` inflates no
part beyond it); no part may have a document type, so that no entity can expand; and what the reader
of values does not tell is taken from here: hidden rows, merged cells, formulas without a value.

Reference: ECMA-376, part 1, section 18.3.1 (worksheets); part 2, section 9.1.1 (no document type).
"""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_INFLATED = 2**27
"""Bytes of all parts together: some 1.5 million cells."""
MAX_PARTS = 10_000
MAX_ELEMENTS = 2**23
MAX_SHEET_ROWS = 2**20
MAX_MERGED_ROWS = 100_000
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_STARTS = (b"<", b"\0<", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # of XML, with its marks
_STRICT = "http://purl.oclc.org/ooxml/"
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)


class WorkbookError(Exception):
    """A workbook that is not opened; the message is the reason, to be put behind a file's name."""


@dataclass(slots=True)
class SheetLayout:
    """What a sheet says about its cells beside their values; rows and columns count from 1."""

    hidden: set[int] = field(default_factory=set)
    """Rows that are hidden, or filtered out."""
    merged: dict[int, list[tuple[int, int, str]]] = field(default_factory=dict)
    """By row: first and last column of merged cells, and their range, as ``A2:A5``."""
    uncached: set[tuple[int, int]] = field(default_factory=set)
    """Row and column of formulas without a stored value."""
    last: int = 0
    """The last row in which anything stands; a format alone may reach further."""


def look_through(data: bytes) -> dict[str, SheetLayout]:
    """Return the layout of each worksheet of a workbook, by the name of its part.

    Raises `WorkbookError` for a file that is no workbook of this kind, is encrypted or damaged, or
    is larger than the limits of this module.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_archive(archive.infolist())
            elements = MAX_ELEMENTS
            layouts: dict[str, SheetLayout] = {}
            for info in archive.infolist():
                scan = _Scan(elements)
                scan.parse(archive.read(info))
                elements = scan.elements_left
                if scan.is_sheet:
                    layouts[info.filename] = scan.layout
            return layouts
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise WorkbookError("is a damaged workbook; save it again as .xlsx") from error


def _check_archive(parts: list[zipfile.ZipInfo]) -> None:
    names = {part.filename for part in parts}
    if any(part.flag_bits & 1 for part in parts):
        raise WorkbookError("is encrypted; save it without a password")
    if "[Content_Types].xml" not in names:
        other = "an OpenDocument or other ZIP file" if "mimetype" in names else "no workbook"
        raise WorkbookError(f"is {other}; save it as .xlsx")
    if any(name.lower().endswith("workbook.bin") for name in names):
        raise WorkbookError("is a binary workbook (.xlsb); save it as .xlsx")
    if any(part.compress_type not in _READABLE for part in parts):
        raise WorkbookError("is compressed in a way that no spreadsheet writes; save it as .xlsx")
    inflated = sum(part.file_size for part in parts)
    if inflated > MAX_INFLATED:
        raise WorkbookError(
            f"has {inflated >> 20} MiB when it is inflated, more than {MAX_INFLATED >> 20}; divide "
            "the table, or save it as CSV"
        )
    if len(parts) > MAX_PARTS:
        raise WorkbookError(f"has {len(parts)} parts, more than {MAX_PARTS}")


class _Scan:
    """A pass over one part of a workbook."""

    def __init__(self, elements: int) -> None:
        self.layout = SheetLayout()
        self.is_sheet = False
        self.elements_left = elements
        self._depth = 0
        self._row = self._column = self._merged_rows = 0
        self._formula = self._stored = self._in_value = self._text = False

    def parse(self, data: bytes) -> None:
        if not data.lstrip().startswith(_STARTS):
            return  # A picture or the like: no parser of XML takes it.
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            # Drawings are often malformed, and are not read.
            if self.is_sheet:
                raise WorkbookError("is a damaged workbook; save it again as .xlsx") from error

    def _refuse_document_type(self, *_: object) -> None:
        raise WorkbookError("has a document type in its XML, which no spreadsheet writes")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.elements_left -= 1
        if self.elements_left < 0:
            raise WorkbookError(
                f"has more than {MAX_ELEMENTS} XML elements; divide the table, or save it as CSV"
            )
        local = name.rpartition(" ")[2]
        if self._depth == 0:
            self.is_sheet = local == "worksheet"
            if self.is_sheet and name.startswith(_STRICT):
                raise WorkbookError(
                    "is a workbook of the form Strict Open XML; save it as an ordinary .xlsx"
                )
        self._depth += 1
        if self.is_sheet and (handler := _HANDLERS.get(local)):
            handler(self, attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        local = name.rpartition(" ")[2]
        if local in ("v", "is"):
            self._in_value = False
        elif local == "c" and self.is_sheet and self._formula and not self._stored:
            self.layout.uncached.add((self._row, self._column))

    def _characters(self, _: str) -> None:
        self._stored |= self._in_value

    def _start_row(self, attributes: Mapping[str, str]) -> None:
        row = int(attributes.get("r", self._row + 1))
        if not self._row < row <= MAX_SHEET_ROWS:
            raise WorkbookError("has rows out of order; save it again as .xlsx")
        self._row, self._column = row, 0
        if attributes.get("hidden") in ("1", "true") or attributes.get("ht") == "0":
            self.layout.hidden.add(row)

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        place = attributes.get("r")
        self._column = _parse_cell(place)[1] if place else self._column + 1
        self._formula = self._stored = False
        self._text = attributes.get("t") == "str"

    def _start_formula(self, _: Mapping[str, str]) -> None:
        self._formula = True
        self.layout.last = self._row

    def _start_value(self, _: Mapping[str, str]) -> None:
        self._in_value = True
        self.layout.last = self._row
        # A formula that gives an empty text has an empty value of type str.
        self._stored = self._text

    def _start_merged(self, attributes: Mapping[str, str]) -> None:
        reference = attributes.get("ref", "")
        first, _, last = reference.partition(":")
        top, left = _parse_cell(first)
        bottom, right = _parse_cell(last or first)
        self._merged_rows += bottom - top + 1
        self.layout.last = max(self.layout.last, bottom)
        if self._merged_rows > MAX_MERGED_ROWS:
            raise WorkbookError(f"merges cells over more than {MAX_MERGED_ROWS} rows; unmerge them")
        for row in range(top, bottom + 1):
            self.layout.merged.setdefault(row, []).append((left, right, reference))


_HANDLERS = {
    "row": _Scan._start_row,
    "c": _Scan._start_cell,
    "f": _Scan._start_formula,
    "v": _Scan._start_value,
    "is": _Scan._start_value,
    "mergeCell": _Scan._start_merged,
}


def _parse_cell(reference: str) -> tuple[int, int]:
    """Return row and column of a cell such as ``AB12``; raises `WorkbookError`."""
    match = _CELL.fullmatch(reference)
    if match is None:
        raise WorkbookError("is a damaged workbook; save it again as .xlsx")
    column = 0
    for letter in match[1]:
        column = 26 * column + ord(letter) - 64
    return int(match[2]), column
