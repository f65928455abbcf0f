"""A journal: a file of JSON values, appended one a line, that a killed process leaves readable.

Each line has a value behind a checksum of it. A kill leaves a last line that is cut short, a
failing machine perhaps more; what is behind the last whole line is dropped.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from elbow_core.files.strict_json import parse_json

Value = TypeVar("Value")

_CHECKSUM = 16  # hexadecimal digits
_MAX_LINE = 1 << 26


def append_to_journal(path: Path, value: Any, *, durable: bool = False) -> None:
    """Add a value to a journal, which is created where it is missing.

    With ``durable`` it is on the disk before this returns. Raises `OSError`, and `ValueError` for
    a value that JSON cannot hold.
    """
    content = json.dumps(value, allow_nan=False).encode()
    with path.open("ab") as file:
        file.write(_checksum(content) + b" " + content + b"\n")
        if durable:
            file.flush()
            os.fsync(file.fileno())


def read_journal(path: Path, parse: Callable[[Any], Value]) -> Iterator[tuple[Value, int]]:
    """Yield the value in each whole line, and where the line ends in the file.

    Args:
        path: of the journal; one that is missing is empty.
        parse: from the value of a line to what is yielded; a line for which it raises `ValueError`
            or `TypeError` is not whole.

    Raises:
        OSError: if the file cannot be read.
    """
    if not path.exists():
        return
    end = 0
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE):
            checksum, _, content = line.removesuffix(b"\n").partition(b" ")
            if not line.endswith(b"\n") or checksum != _checksum(content):
                return
            try:
                value = parse(parse_json(content))
            except (ValueError, TypeError):
                return
            end += len(line)
            yield value, end


def cut_journal(path: Path, end: int) -> None:
    """Drop what is behind the last whole line, which ends at ``end``. Raises `OSError`."""
    if path.exists() and path.stat().st_size > end:
        os.truncate(path, end)


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:_CHECKSUM].encode()
