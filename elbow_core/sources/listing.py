"""List the image files of a data set, and the reasons for leaving out the others."""

import os
import re
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files import reason_to_leave_out
from elbow_core.radiographs import IMAGE_SUFFIXES, counts_as_image
from elbow_core.sources.scan_result import Rejection

_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


def list_images(root: Path, folder: str = "") -> tuple[list[str], list[Rejection]]:
    """Return the image files below ``root / folder``, by path from ``root``, and all other files.

    `counts_as_image` decides by name and first bytes; the content is checked when a file is read.
    A hidden folder, and one that an operating system, a network drive or a DICOM disc adds
    (`elbow_core.files.system_files`), is rejected as a whole, by its own path.
    Raises `UserError` if the folder does not exist.
    """
    top = root / folder
    if not top.is_dir():
        raise UserError(f"{top}: is not a folder")
    images: list[str] = []
    rejected: list[Rejection] = []
    resolved_root = root.resolve()
    for parent, folders, files in os.walk(top, onerror=_raise):
        for name in list(folders):
            if reason := reason_to_leave_out(name, folder=True):
                folders.remove(name)
                path = Path(parent, name).relative_to(root).as_posix()
                rejected.append(Rejection(path, reason))
        for name in files + [name for name in folders if Path(parent, name).is_symlink()]:
            file = Path(parent, name)
            path = file.relative_to(root).as_posix()
            if reason := _reason_for_rejection(file, path, resolved_root):
                rejected.append(Rejection(path, reason))
            else:
                images.append(path)
    return sorted(images), sorted(rejected, key=lambda entry: entry.path)


def name_files(paths: list[str]) -> str:
    """Return the number of files and all their paths, on one line."""
    return f"{len(paths)} {'file' if len(paths) == 1 else 'files'}: {', '.join(paths)}"


def _reason_for_rejection(file: Path, path: str, resolved_root: Path) -> str | None:
    if _UNWRITABLE.search(path):
        return "its name contains control characters or is not UTF-8"
    if reason := reason_to_leave_out(file.name, folder=False):
        return reason
    if file.is_dir():
        return "is a link to a folder; links to folders are not followed"
    if not file.is_file():
        return "is not a regular file, or is a broken link"
    if file.is_symlink() and not file.resolve().is_relative_to(resolved_root):
        return "is a link to a file outside the data root"
    if not counts_as_image(file):
        return f"has no image suffix ({', '.join(IMAGE_SUFFIXES)}) and is not DICOM"
    return None


def _raise(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read: {error.strerror}") from error
