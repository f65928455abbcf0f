"""Text without control characters, for tables and terminals.

A file name may hold a line end, an escape sequence that changes the terminal, characters that
reverse the direction of writing, or bytes that are not UTF-8. They are written as escapes:
``\\n``, ``\\r``, ``\\t``; ``\\xNN`` for other ASCII control characters and, from ``\\x80``, for
bytes that are not UTF-8; ``\\uNNNN`` for the rest.
"""

import re

_UNPRINTABLE = (
    r"\x00-\x1f\x7f-\x9f"  # control characters
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing
    r"\u2028\u2029"  # line ends
    r"\ud800-\udfff"  # bytes that are not UTF-8 (surrogateescape), and no characters
)
UNPRINTABLE = re.compile(f"[{_UNPRINTABLE}]")
_ESCAPED = re.compile(rf"[\\{_UNPRINTABLE}]")
_ESCAPE = re.compile(r"\\(?:[nrt\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|(?P<wrong>))")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
_PLAIN = {escape: character for character, escape in _SHORT.items()}
_BYTES = 0xDC00  # of Python's surrogateescape: byte 0xNN of a file name is character 0xDCNN


def escape(text: str) -> str:
    """Return text in which escapes stand for unprintable characters, and ``\\\\`` for a backslash.

    `unescape` gives the text back.
    """
    return _ESCAPED.sub(lambda match: escape_character(match[0]), text)


def unescape(text: str) -> str:
    """Return the text that `escape` was given; raises `ValueError` for an unknown escape."""
    return _ESCAPE.sub(_character, text)


def one_line(text: str) -> str:
    """Return a message for a terminal: one line, with escapes for unprintable characters.

    A backslash stands for itself, so the text cannot be told from one that holds an escape.
    """
    return UNPRINTABLE.sub(lambda match: escape_character(match[0]), text)


def plain_text(text: str) -> str:
    """Return text of several lines with escapes for all other unprintable characters."""
    return UNPRINTABLE.sub(
        lambda match: match[0] if match[0] in "\n\r\t" else escape_character(match[0]), text
    )


def escape_character(character: str) -> str:
    """Return the escape of any one character of the basic plane."""
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x80:
        return f"\\x{code:02x}"
    if _BYTES + 0x80 <= code < _BYTES + 0x100:
        return f"\\x{code - _BYTES:02x}"
    return f"\\u{code:04x}"


def _character(match: re.Match[str]) -> str:
    escaped = match[0]
    if match["wrong"] is not None:
        raise ValueError(f"{match.string!r}: no escape at character {match.start() + 1}")
    if escaped in _PLAIN:
        return _PLAIN[escaped]
    code = int(escaped[2:], 16)
    return chr(code if escaped[1] == "u" or code < 0x80 else _BYTES + code)
