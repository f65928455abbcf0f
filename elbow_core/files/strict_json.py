"""JSON of the project's own files, read strictly and under a limit of size."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from elbow_core.files.bounded import read_regular

SMALL_FILE = 1 << 20
"""Bytes that a file which describes one run or one model may have."""


def read_json(path: Path, limit: int = SMALL_FILE) -> Any:
    """Return the content of a JSON file of at most ``limit`` bytes.

    Raises:
        OSError: if it cannot be read, is not a regular file or is longer.
        ValueError: as `parse_json` does.
    """
    return parse_json(read_regular(path, limit))


def parse_json(content: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Python's own reader also takes NaN, infinities and repeated keys, and raises `RecursionError`
    for a text that is nested deeply.

    Raises:
        ValueError: in one line, for a text that is not UTF-8 or not JSON, for a key that one object
            repeats, for NaN, a number that no float holds, and for a text that is nested too
            deeply.

    Reference: RFC 8259.
    """
    try:
        return json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite_number,
        )
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {repeated[:80]!r} is repeated")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _finite_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:80]} is too large for a number")
    return value
