"""Paths in a configuration: ``~`` and ``$VARIABLE`` mean what they mean in a shell."""

import os
import re
from collections.abc import Iterator
from typing import Any

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


def expand_path(text: str) -> str:
    """Return a path with ``~``, ``~user``, ``$NAME`` and ``${NAME}`` replaced.

    Raises `ValueError` for a user without a home directory, a variable that is not set or empty,
    and for other expressions of a shell.

    Reference: POSIX.1-2024, Shell Command Language, sections 2.6.1 and 2.6.2.
    """
    if re.search(r"\$[({]|`", _VARIABLE.sub("", text)):
        raise ValueError(f"{text!r} is an expression of a shell; write the path in full")
    expanded = _VARIABLE.sub(_value_of, text)
    if text.startswith("~"):
        expanded = os.path.expanduser(expanded)  # noqa: PTH111 Path refuses with another error
        if expanded.startswith("~"):
            raise ValueError(f"{text!r}: there is no such home directory; write the path in full")
    return expanded


def find_undecodable(values: Any, key: str = "") -> str | None:
    """Return the dotted key of a text that is not UTF-8, as a file's name can be, or None."""
    return next(_undecodable(values, key), None)


def _value_of(match: re.Match[str]) -> str:
    name = match[1] or match[2]
    value = os.environ.get(name)
    if not value:
        state = "not set" if value is None else "empty"
        raise ValueError(f"{match.string!r}: ${name} is {state} in the environment")
    return value


def _undecodable(values: Any, key: str) -> Iterator[str]:
    if isinstance(values, dict):
        for name, value in values.items():
            yield from _undecodable(value, f"{key}.{name}".removeprefix("."))
    elif isinstance(values, list):
        for value in values:
            yield from _undecodable(value, key)
    elif isinstance(values, str):
        try:
            values.encode()
        except UnicodeEncodeError:
            yield key
