"""Cells of tables that people open in a spreadsheet: no formula, one line each, reversible.

A cell is written as it stands unless it

- begins with ``=``, ``+``, ``-`` or ``@`` (or its full width form, or spaces before it), and is no
  number,
- has such a character directly behind a comma, semicolon, bar or quotation mark, where a
  spreadsheet with other settings begins a cell,
- contains an unprintable character (`elbow_core.printable`),
- or could be mistaken for one of these as they are written.

Such a cell gets an apostrophe in front, and inside it every unprintable character, every backslash
and every formula sign behind a delimiter becomes an escape. `restore` undoes exactly this: cells
that `protect` never gives, such as ``'abc`` in a table from elsewhere, keep every character.

Reference: OWASP, "CSV Injection".
"""

import re

from elbow_core.printable import UNPRINTABLE, escape, escape_character, unescape
from elbow_core.tables.plain_numbers import is_plain_number

APOSTROPHE = "'"
_SIGNS = r"[-=+@\uff1d\uff0b\uff0d\uff20]"
_INNER_SIGN = re.compile(rf"""{_SIGNS}(?<=[,;|"']{_SIGNS})""")
_START = re.compile(rf"[ ']*{_SIGNS}|'.*\\", re.DOTALL)
_ANYWHERE = re.compile(f"{_INNER_SIGN.pattern}|{UNPRINTABLE.pattern}")


def protect(text: str) -> str:
    """Return a cell that no spreadsheet computes and that has no unprintable character."""
    if not (_START.match(text) or _ANYWHERE.search(text)) or is_plain_number(text):
        return text
    return APOSTROPHE + _INNER_SIGN.sub(lambda sign: escape_character(sign[0]), escape(text))


def restore(cell: str) -> str:
    """Return the text that `protect` made a cell of; any other cell is returned unchanged."""
    if not cell.startswith(APOSTROPHE):
        return cell
    try:
        text = unescape(cell[1:])
    except ValueError:
        return cell
    return text if protect(text) == cell else cell
