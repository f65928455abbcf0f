"""Numbers in text: what people plainly write, and nothing else that Python would take."""

import math
import re

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")


def is_plain_number(text: str) -> bool:
    """Return whether a text is a number as `parse_number` takes it, of any size."""
    return _NUMBER.fullmatch(text) is not None


def parse_number(text: str, low: float | int = -math.inf, high: float | int = math.inf) -> float:
    """Return the number that a text plainly is: decimal ASCII digits, a point, an exponent.

    Python's `float` also takes ``1_000``, ``nan``, ``inf``, blanks around the number and digits of
    every script, and makes ``1e999`` infinite; these are refused.

    Raises `ValueError`, whose message begins with the text, also outside ``low`` to ``high``.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not (math.isfinite(value) and low <= value <= high):
        limited = math.isfinite(low) or math.isfinite(high)
        limits = f" from {low:g} to {high:g}" if limited else ""
        comma = "; write a decimal point" if _DECIMAL_COMMA.fullmatch(text) else ""
        raise ValueError(f"{text!r} is not a number{limits}{comma}")
    return value


def parse_whole_number(text: str) -> int:
    """Return a whole number from 0 to 999 999 999, written without leading zeros.

    Raises `ValueError`, whose message begins with the text.
    """
    if not _WHOLE_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)
