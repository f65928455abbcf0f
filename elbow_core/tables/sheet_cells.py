"""A cell of a sheet as text, and what the spreadsheet says about it."""

import datetime
import math
import re
from dataclasses import dataclass
from typing import Literal

from elbow_core.identity import strip_outer_blanks

Kind = Literal["empty", "text", "number", "date", "boolean"]

MAX_CELL = 2**15 - 1
"""Characters, as in a spreadsheet."""
# #N/A and #REF! in the languages of spreadsheets (#NV, #BEZUG!, #N/D, #¡REF!), ##### and the like.
_ERROR_VALUE = re.compile(r"#[¡A-ZÀ-Þ0-9/_ ]+[!?]|#N/[AD]|#NV|#{2,}")
_LINE_BREAK = re.compile(r"\s*(?:_x000[9AD]_|[\t\n\v\f\r\x85\u2028\u2029])+\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One cell.

    ``text`` has no blanks or invisible characters at its ends, and its line breaks and tabs are
    blanks. Numbers have at most 15 digits after the first, as in a spreadsheet, and no ``.0``;
    dates are ISO 8601; truth values are TRUE and FALSE.
    """

    text: str
    kind: Kind
    problem: str = ""
    """Why the cell has no plain value, such as ``is #N/A``; empty if it has one."""


EMPTY = SheetCell("", "empty")


def text_cell(text: str) -> SheetCell:
    """Return a cell of text, as typed or as a text file has it."""
    plain = strip_outer_blanks(_LINE_BREAK.sub(" ", text))
    if not plain:
        return EMPTY
    if _ERROR_VALUE.fullmatch(plain):
        return SheetCell("", "text", f"is {plain[:20]}, an error of the spreadsheet; correct it")
    if len(plain) > MAX_CELL:
        return SheetCell("", "text", f"has {len(plain)} characters, more than {MAX_CELL}")
    if _CONTROL.search(plain):
        return SheetCell("", "text", "contains a control character; delete and retype it")
    return SheetCell(plain, "text")


def typed_cell(value: object) -> SheetCell:
    """Return the cell of a value that a workbook stores with its type, None for an empty one.

    A value of an unknown type has a problem.
    """
    match value:
        case None:
            return EMPTY
        case bool():
            return SheetCell(str(value).upper(), "boolean")
        case int() | float():
            return _number_cell(value)
        case str():
            return text_cell(value)
        case datetime.datetime():
            whole_day = value.time() == datetime.time()
            return SheetCell(value.date().isoformat() if whole_day else str(value), "date")
        case datetime.date() | datetime.time():
            return SheetCell(str(value), "date")
        case datetime.timedelta():
            return SheetCell("", "date", "is a duration; format the cell as text")
    return SheetCell("", "text", "has a value of an unknown kind; format the cell as text")


def _number_cell(value: int | float) -> SheetCell:
    if not math.isfinite(value):
        return SheetCell("", "number", "is not a finite number")
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e30):
        return SheetCell(str(int(value)), "number")
    return SheetCell(f"{value:.15g}", "number")
