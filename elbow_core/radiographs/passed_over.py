"""Say which entries of a folder were not taken as radiographs, and why."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from elbow_core.files import reason_to_leave_out
from elbow_core.printable import one_line
from elbow_core.radiographs.file_types import starts_as_picture
from elbow_core.radiographs.image_files import IMAGE_SUFFIXES, counts_as_image

_NAMED = 3

_LINKED_FOLDERS = "links to folders, which are not followed"
_UNREADABLE_FOLDERS = "folders that cannot be read"
_HIDDEN = "hidden files and folders"
_SYSTEM = "files and folders that an operating system, a network drive or a DICOM disc adds"
_BROKEN = "broken links"
_IRREGULAR = "pipes, sockets or devices"
_UNREADABLE = "files that cannot be read"
_PICTURES = "pictures of a type that is not read, or under a name that is not an image's"
_OTHER = f"files that are not DICOM and do not end in {', '.join(IMAGE_SUFFIXES)}"
_IMAGES = "images"


def find_passed_over(folder: Path, images: Collection[Path]) -> dict[str, list[Path]]:
    """Return the files and folders below a folder that give none of ``images``, by reason.

    A folder that is left out as a whole counts once, and so does one that cannot be read.
    """
    found: dict[str, list[Path]] = {}
    taken = set(images)
    unreadable = found.setdefault(_UNREADABLE_FOLDERS, [])
    walk = os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename)))
    for parent, folders, files in walk:
        for path in (Path(parent, name) for name in sorted(folders)):
            if reason := _reason_for_folder(path):
                folders.remove(path.name)
                found.setdefault(reason, []).append(path)
        for path in (Path(parent, name) for name in sorted(files)):
            if path not in taken:
                found.setdefault(_reason_for_file(path), []).append(path)
    return {reason: paths for reason, paths in found.items() if paths}


def count_unread(found: Mapping[str, list[Path]]) -> int:
    """Return how many of the entries may be radiographs, so that a result without them has a gap.

    These are pictures, what cannot be read, and broken links and pipes with an image's name.
    """
    unread = 0
    for reason, paths in found.items():
        if reason in (_UNREADABLE_FOLDERS, _UNREADABLE, _PICTURES, _IMAGES):
            unread += len(paths)
        elif reason in (_BROKEN, _IRREGULAR):
            unread += sum(path.suffix.lower() in IMAGE_SUFFIXES for path in paths)
    return unread


def describe_passed_over(found: Mapping[str, list[Path]]) -> list[str]:
    """Return a line for each reason: how many entries were passed over, and the first of them."""
    lines = []
    for reason, paths in found.items():
        names = ", ".join(one_line(str(path)) for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        lines.append(f"passed over {len(paths)} {reason}: {names}{more}")
    return lines


def _reason_for_folder(path: Path) -> str | None:
    if reason_to_leave_out(path.name, folder=True):
        return _HIDDEN if path.name.startswith(".") else _SYSTEM
    return _LINKED_FOLDERS if path.is_symlink() else None


def _reason_for_file(path: Path) -> str:
    if reason_to_leave_out(path.name, folder=False):
        return _HIDDEN if path.name.startswith(".") else _SYSTEM
    if path.is_symlink() and not path.exists():
        return _BROKEN
    if not path.is_file():
        return _IRREGULAR
    if not os.access(path, os.R_OK):
        return _UNREADABLE
    if counts_as_image(path):
        return _IMAGES
    return _PICTURES if _is_picture(path) else _OTHER


def _is_picture(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return starts_as_picture(file.read(12))
    except OSError:
        return False
