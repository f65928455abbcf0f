"""Ids in a column of a spreadsheet, which are text that spreadsheets take for numbers and dates."""

import re

from elbow_core.errors import UserError
from elbow_core.tables import Sheet, SheetCell

_DIGITS = re.compile(r"[0-9]+")
_WITH_DECIMAL = re.compile(r"[0-9]+\.0")
_SCIENTIFIC = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.IGNORECASE)
_KEPT_DIGITS = 15
"""Of a number in a spreadsheet; further ones become zeros."""
_AS_TEXT = "format the column as text and enter it again"


def read_ids(sheet: Sheet, column: str) -> list[str]:
    """Return the id of each row in a column; empty where the cell is empty.

    If all ids of the column end in ``.0``, as those do that went through a column of decimal
    numbers, that end is removed.

    Raises `UserError`, which quotes no id, for a cell that is no text and no whole number, a number
    of more than 15 digits or in scientific notation, an id that ends in ``.0`` beside others that
    do not, and a number that is the id of another row without its leading zeros.
    """
    cells = [row.cells[column] for row in sheet.rows]
    ids = [cell.text for cell in cells]
    decimal = [_WITH_DECIMAL.fullmatch(text) is not None for text in ids]
    if any(decimal) and sum(decimal) == sum(map(bool, ids)):
        ids = [text.removesuffix(".0") for text in ids]
        decimal = [False] * len(ids)
    with_zeros = {
        without_zeros(cell.text)
        for cell in cells
        if cell.kind == "text" and _DIGITS.fullmatch(cell.text) and not is_whole_number(cell.text)
    }
    for row, cell, ends_in_decimal in zip(sheet.rows, cells, decimal, strict=True):
        if problem := _problem(cell, with_zeros, ends_in_decimal):
            raise UserError(f"{sheet.place(row, column)}: {problem}")
    return ids


def is_whole_number(text: str) -> bool:
    """Say whether an id may have lost leading zeros: it is digits without any in front."""
    return _DIGITS.fullmatch(text) is not None and (text == "0" or not text.startswith("0"))


def without_zeros(text: str) -> str:
    """Return digits without leading zeros, as a spreadsheet shows them."""
    return text.lstrip("0") or "0"


def _problem(cell: SheetCell, with_zeros: set[str], ends_in_decimal: bool) -> str:
    if cell.kind in ("date", "boolean"):
        kind = "a date" if cell.kind == "date" else "TRUE or FALSE"
        return f"is {kind} and no id; {_AS_TEXT}"
    if cell.kind == "number":
        if not _DIGITS.fullmatch(cell.text):
            return f"is a number with a sign or decimals and no id; {_AS_TEXT}"
        if len(cell.text) > _KEPT_DIGITS:
            return (
                f"is a number of more than {_KEPT_DIGITS} digits, and lost the others; {_AS_TEXT}"
            )
        if cell.text in with_zeros:
            return f"is a number, and another row has it with leading zeros; {_AS_TEXT}"
    if _SCIENTIFIC.fullmatch(cell.text):
        return f"is a number in scientific notation, and lost digits; {_AS_TEXT}"
    if ends_in_decimal:
        return "ends in .0, unlike others in this column; write all ids without it"
    return ""
