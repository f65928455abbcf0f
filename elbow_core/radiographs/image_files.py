"""Decide by name and first bytes which files of a folder count as images."""

import os
from pathlib import Path

from elbow_core.errors import MachineError, UserError
from elbow_core.files import reason_to_leave_out
from elbow_core.radiographs.file_types import is_dicom

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm")
"""In lower case; case is ignored."""


def counts_as_image(file: Path) -> bool:
    """Say whether a file has an image's suffix, or starts as DICOM does.

    The rest of its content is checked only when it is read. Scanners name DICOM files without a
    suffix, or by a UID, whose last number looks like one. Raises `MachineError` for a file of
    another name that cannot be read: it may be DICOM.
    """
    if file.suffix.lower() in IMAGE_SUFFIXES:
        return True
    try:
        with file.open("rb") as opened:
            return is_dicom(opened.read(132))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise MachineError(f"{file}: cannot be read: {error.strerror}") from error


def list_image_files(folder: Path) -> list[Path]:
    """Return the files at any depth below a folder that count as images, sorted by path.

    Hidden files and folders, and those that operating systems and network drives write, are left
    out (`elbow_core.files.reason_to_leave_out`). Links to folders are not followed. Raises
    `UserError` for a folder that cannot be read.
    """
    found: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not reason_to_leave_out(name, folder=True)]
        for name in files:
            file = Path(parent, name)
            if not reason_to_leave_out(name, folder=False) and file.is_file():
                found += [file] if _counts_as_far_as_known(file) else []
    return sorted(found)


def _counts_as_far_as_known(file: Path) -> bool:
    try:
        return counts_as_image(file)
    except MachineError:  # `find_passed_over` names it.
        return False


def _raise(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error
