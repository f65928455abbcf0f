"""What every reader of a data set shares: the files of a folder, and what a scan returns."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from elbow_core.dataset.manifest import ManifestRow
from elbow_core.errors import UserError
from elbow_core.radiographs.header import is_dicom

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A file that is not used, by its path from the data root, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a reader found."""

    rows: list[ManifestRow]
    rejected: list[Rejection]


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


def list_images(root: Path, folder: str = "") -> tuple[list[str], list[Rejection]]:
    """Return the image files below ``root / folder``, by path from ``root``, and all other files.

    A file counts as an image by its suffix, or, without one, where it begins as DICOM; whether it
    is one is seen when it is read. Raises `UserError` where the folder is not there.
    """
    top = root / folder
    if not top.is_dir():
        raise UserError(f"{top}: is not a folder")
    images: list[str] = []
    rejected: list[Rejection] = []
    inside = root.resolve()
    for parent, folders, files in os.walk(top, onerror=_raise):
        for name in files + [name for name in folders if Path(parent, name).is_symlink()]:
            file = Path(parent, name)
            path = file.relative_to(root).as_posix()
            if reason := _reason_to_pass_over(file, path, inside):
                rejected.append(Rejection(path, reason))
            else:
                images.append(path)
    return sorted(images), sorted(rejected, key=lambda found: found.path)


def printable(text: str) -> str:
    """Return a path with a question mark for each character that no table can hold."""
    return _UNWRITABLE.sub("?", text)


def match_patient(pattern: str, path: str) -> tuple[str, str] | None:
    """Return the ids of patient and study that a path names, the study's within its patient's.

    Case is dropped: P12 and p12 in two splits would be a leak that nobody sees.
    """
    found = re.search(pattern, path, re.IGNORECASE)
    if found is None or not found["patient"]:
        return None
    patient = found["patient"].casefold()
    study = (found.groupdict().get("study") or "1").casefold()
    return patient, f"{patient}/{study}"


def name_files(paths: list[str]) -> str:
    """Return how many files these are, and every one of them, on one line."""
    return f"{len(paths)} {'file' if len(paths) == 1 else 'files'}: {', '.join(paths)}"


def _reason_to_pass_over(file: Path, path: str, inside: Path) -> str | None:
    if _UNWRITABLE.search(path):
        return "its name holds control characters or is not UTF-8"
    if file.name.startswith("."):
        return "is a hidden file"
    if file.is_dir():
        return "is a link to a folder; links to folders are not followed"
    if not file.is_file():
        return "is not a regular file, or a link to nothing"
    if file.is_symlink() and not file.resolve().is_relative_to(inside):
        return "is a link that leads out of the data root"
    if not file.suffix and _begins_as_dicom(file):
        return None
    if file.suffix.lower() not in IMAGE_SUFFIXES:
        return f"is not named as an image ({', '.join(IMAGE_SUFFIXES)})"
    return None


def _begins_as_dicom(file: Path) -> bool:
    """Say whether a file without a suffix, as scanners write them, is DICOM."""
    try:
        with file.open("rb") as opened:
            return is_dicom(opened.read(132))
    except OSError:
        return False


def _raise(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error
