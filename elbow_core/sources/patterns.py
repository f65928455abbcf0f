"""Regular expressions that read patient, study and finding from a path."""

import re
import unicodedata
import warnings
from functools import cache
from typing import Annotated, Any

import regex
from pydantic import AfterValidator

from elbow_core.errors import UserError
from elbow_core.identity import normalise_id

_MAX_LENGTH = 1000
_SECONDS = 1.0
_MAX_REPETITIONS = 1000
_COUNTED = re.compile(r"(\)?)\{(\d*),?(\d*)\}", re.ASCII)


def _check_pattern(pattern: str) -> str:
    if len(pattern) > _MAX_LENGTH:
        raise ValueError(f"has {len(pattern)} characters, more than {_MAX_LENGTH}")
    _refuse_repetitions(pattern)
    try:
        with warnings.catch_warnings():
            # Of sets in sets, which `re` and `regex` read differently.
            warnings.simplefilter("error")
            re.compile(_composed(pattern), re.IGNORECASE)
            _compile(pattern)
    except (re.error, regex.error, OverflowError, RecursionError, Warning) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{pattern!r} is not a regular expression: {reason}") from error
    return pattern


def _refuse_repetitions(pattern: str) -> None:
    """Raise `ValueError` for counted repetitions that the compiler would write out for minutes."""
    nested = 1
    for of_group, *counts in _COUNTED.findall(pattern):
        count = max(int(number[:9] or 1) for number in counts)
        nested *= count if of_group else 1
        if max(count, nested) > _MAX_REPETITIONS:
            raise ValueError(f"{pattern!r} repeats a part more than {_MAX_REPETITIONS} times")


def _check_patient_pattern(pattern: str) -> str:
    if "patient" not in _compile(_check_pattern(pattern)).groupindex:
        raise ValueError(f"{pattern!r} has no group (?P<patient>...)")
    return pattern


Pattern = Annotated[str, AfterValidator(_check_pattern)]
"""A regular expression of Python's `re`, at most 1000 characters long."""
PatientPattern = Annotated[str, AfterValidator(_check_patient_pattern)]
"""A regular expression with a group ``patient`` and, if studies are known, a group ``study``."""


def search_pattern(pattern: str, text: str, key: str) -> Any:
    """Search a pattern in a path or name; case, and composed or decomposed letters, do not count.

    Decomposed, as macOS writes it, ``ü`` is two characters, and ``\\w`` matches the first only.
    Returns a match or None. Raises `UserError`, with the configuration's ``key`` and the text, if
    the search takes more than a second: some patterns take a time that grows exponentially.

    Reference: the package `regex`, which takes the patterns of `re` and has a time limit.
    """
    try:
        return _compile(pattern).search(_composed(text), timeout=_SECONDS)
    except (TimeoutError, MemoryError) as error:
        raise UserError(
            f"{key}: {pattern!r} takes more than {_SECONDS:g} s for {text!r}; avoid a repetition "
            "in a repetition"
        ) from error


def match_patient(pattern: str, path: str, key: str) -> tuple[str, str] | None:
    """Return the ids of patient and study in a path; the study's id contains the patient's.

    The ids are in the form in which ids are compared (`normalise_id`), so in lower case: P12 and
    p12 are one patient. Returns None if the pattern does not match, or matches an empty patient.
    Raises `UserError` as `search_pattern` does.
    """
    match = search_pattern(pattern, path, key)
    patient = normalise_id(match["patient"] or "") if match else ""
    if match is None or not patient:
        return None
    study = normalise_id(match.groupdict().get("study") or "") or "1"
    return patient, f"{patient}/{study}"


@cache
def _compile(pattern: str) -> Any:
    return regex.compile(_composed(pattern), regex.IGNORECASE | regex.VERSION0)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
