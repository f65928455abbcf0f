"""Labels, splits, views and attributes in the cells of a table."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeVar

from elbow_core.errors import UserError
from elbow_core.identity import normalise_id
from elbow_core.sources.table.config import AttributeType
from elbow_core.tables import Sheet, SheetCell, SheetRow, parse_number

Value = TypeVar("Value")

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})")
_POINT_OR_GROUP = re.compile(r"[-+]?[0-9]+\.[0-9]+")
_MAX_NAMED = 8


def read_mapped(
    sheet: Sheet, row: SheetRow, column: str | None, values: Mapping[str, Value], key: str
) -> Value:
    """Return what a mapping of the configuration gives for a cell, in any spelling of its keys.

    Without a column, that is what it gives for an empty cell.

    Raises `UserError` that names the cell, its text and the configuration's ``key``.
    """
    if column is None:
        return values[""]
    text = row.cells[column].text
    named = {normalise_id(name): value for name, value in values.items()}
    if normalise_id(text) in named:
        return named[normalise_id(text)]
    known = ", ".join(map(repr, list(values)[:_MAX_NAMED]))
    given = repr(text[:100]) if text else "an empty cell"
    raise UserError(f"{sheet.place(row, column)}: {given} is not in {key} ({known}); add it there")


def read_attribute(sheet: Sheet, column: str, kind: AttributeType | None) -> list[str]:
    """Return an attribute of each row: a number with a decimal point, a date as ISO 8601.

    Without a kind, text is returned as it stands, a date also as ISO 8601. An empty cell gives an
    empty text.

    Raises `UserError` that names the cell for one that is not of its kind, for text in a column of
    dates without a kind, and for dates whose day and month a spreadsheet may have exchanged.
    """
    cells = [(row, row.cells[column]) for row in sheet.rows]
    if kind is None:
        _refuse_mixed(sheet, column)
        return [cell.text for _, cell in cells]
    found: list[str] = []
    for row, cell in cells:
        try:
            found.append(_read_cell(cell, kind) if cell.text else "")
        except ValueError as error:
            raise UserError(f"{sheet.place(row, column)}: {error}") from error
    if kind in ("day_first", "month_first"):
        _refuse_exchanged(sheet, column, found)
    return found


def _refuse_mixed(sheet: Sheet, column: str) -> None:
    kinds = {row.cells[column].kind for row in sheet.rows}
    if "date" not in kinds:
        return
    for row in sheet.rows:
        cell = row.cells[column]
        if cell.text and cell.kind != "date":
            raise UserError(
                f"{sheet.place(row, column)}: {cell.text[:100]!r} is no date, but other cells of "
                "the column are; correct them, or name the attribute in source.attribute_types"
            )


def _refuse_exchanged(sheet: Sheet, column: str, dates: Sequence[str]) -> None:
    """Raise `UserError` if the dates are those of a spreadsheet that reads them in another order.

    It turns 05/03/2024 into the third of May, and leaves 31/03/2024 as text.
    """
    days: dict[str, set[int]] = {"text": set(), "date": set()}
    for row, text in zip(sheet.rows, dates, strict=True):
        if text:
            days[row.cells[column].kind].add(int(text[8:10]))
    if days["text"] and days["date"] and max(days["date"]) <= 12 < min(days["text"]):
        row = next(row for row in sheet.rows if row.cells[column].kind == "date")
        raise UserError(
            f"{sheet.place(row, column)}: is a date, while all dates with a day above 12 are text: "
            "a spreadsheet has taken days for months; enter the column again as text"
        )


def _read_cell(cell: SheetCell, kind: AttributeType) -> str:
    return _number(cell, kind) if kind in ("number", "decimal_comma") else _date(cell, kind)


def _number(cell: SheetCell, kind: AttributeType) -> str:
    text = cell.text
    if cell.kind not in ("number", "text"):
        raise ValueError(f"{text!r} is not a number")
    if kind == "decimal_comma" and cell.kind == "text":
        if _POINT_OR_GROUP.fullmatch(text):
            raise ValueError(f"{text!r} has a point; write a decimal comma and no other mark")
        text = text.replace(",", ".")
    try:
        return f"{parse_number(text):.15g}"
    except ValueError as error:
        if kind == "number" and "decimal point" in str(error):
            raise ValueError(
                f"{text!r} has a comma; its attribute type is decimal_comma"
            ) from error
        raise ValueError(f"{cell.text!r} is not a number") from error


def _date(cell: SheetCell, kind: AttributeType) -> str:
    text = cell.text.partition(" ")[0] if cell.kind == "date" else cell.text
    match = _DATE.fullmatch(text)
    if _ISO_DATE.fullmatch(text):
        year, month, day = map(int, text.split("-"))
    elif cell.kind == "text" and match is not None and kind != "date":
        first, second, year = map(int, match.groups())
        day, month = (first, second) if kind == "day_first" else (second, first)
    else:
        wanted = {
            "date": "of the form 2024-03-31",
            "day_first": "of the form 31.03.2024 or 2024-03-31",
            "month_first": "of the form 03/31/2024 or 2024-03-31",
        }
        raise ValueError(f"{text!r} is no date {wanted[kind]}")
    try:
        return date(year, month, day).isoformat()
    except ValueError as error:
        raise ValueError(f"{text!r} is no date: {error}") from error
