"""Regular expressions that read patient, study and finding from a path."""

import re
from typing import Annotated

from pydantic import AfterValidator


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


def _check_patient_pattern(pattern: str) -> str:
    if "patient" not in re.compile(_check_pattern(pattern)).groupindex:
        raise ValueError(f"{pattern!r} has no group (?P<patient>...)")
    return pattern


Pattern = Annotated[str, AfterValidator(_check_pattern)]
"""A regular expression of Python's `re`."""
PatientPattern = Annotated[str, AfterValidator(_check_patient_pattern)]
"""A regular expression with a group ``patient`` and, if studies are known, a group ``study``."""


def match_patient(pattern: str, path: str) -> tuple[str, str] | None:
    """Return the ids of patient and study in a path; the study's id contains the patient's.

    The ids are in lower case: P12 and p12 in two splits would be undetected leakage. Returns None
    if the pattern does not match.
    """
    match = re.search(pattern, path, re.IGNORECASE)
    if match is None or not match["patient"]:
        return None
    patient = match["patient"].casefold()
    study = (match.groupdict().get("study") or "1").casefold()
    return patient, f"{patient}/{study}"
