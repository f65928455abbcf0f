"""Regular expressions that read patient, study and finding from a path."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from elbow_core.identity import normalise_id


def _check_pattern(pattern: str) -> str:
    try:
        re.compile(_composed(pattern))
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


def search_pattern(pattern: str, text: str) -> re.Match[str] | None:
    """Search a pattern in a path or name; case, and composed or decomposed letters, do not count.

    Decomposed, as macOS writes it, ``ü`` is two characters, and ``\\w`` matches the first only.
    """
    return re.search(_composed(pattern), _composed(text), re.IGNORECASE)


def match_patient(pattern: str, path: str) -> tuple[str, str] | None:
    """Return the ids of patient and study in a path; the study's id contains the patient's.

    The ids are in the form in which ids are compared (`normalise_id`), so in lower case: P12 and
    p12 are one patient. Returns None if the pattern does not match, or matches an empty patient.
    """
    match = search_pattern(pattern, path)
    patient = normalise_id(match["patient"] or "") if match else ""
    if match is None or not patient:
        return None
    study = normalise_id(match.groupdict().get("study") or "") or "1"
    return patient, f"{patient}/{study}"


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
