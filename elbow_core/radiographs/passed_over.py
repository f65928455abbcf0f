"""Say which entries of a folder were not taken as radiographs, and why."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from elbow_core.radiographs.image_files import IMAGE_SUFFIXES, counts_as_image

_NAMED = 3

LINKED_FOLDERS = "links to folders, which are not followed"
UNREADABLE_FOLDERS = "folders that cannot be read"
_HIDDEN = "hidden files"
_BROKEN = "broken links"
_IRREGULAR = "pipes, sockets or devices"
_UNREADABLE = "files that cannot be read"
_OTHER = f"files that are not DICOM and do not end in {', '.join(IMAGE_SUFFIXES)}"
_SET_ASIDE = "images in folders that are hidden or that a system writes"


def find_passed_over(folder: Path, images: Collection[Path]) -> dict[str, list[Path]]:
    """Return the links to folders and the files below a folder that are not ``images``, by reason.

    Folders that cannot be read are among them.
    """
    found: dict[str, list[Path]] = {}
    taken = set(images)
    unreadable = found.setdefault(UNREADABLE_FOLDERS, [])
    walk = os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename)))
    for parent, folders, files in walk:
        for name in sorted(folders):
            if Path(parent, name).is_symlink():
                found.setdefault(LINKED_FOLDERS, []).append(Path(parent, name))
        for path in (Path(parent, name) for name in sorted(files)):
            if path not in taken:
                found.setdefault(_reason(path), []).append(path)
    return {reason: paths for reason, paths in found.items() if paths}


def describe_passed_over(found: Mapping[str, list[Path]]) -> list[str]:
    """Return a line for each reason: how many entries were passed over, and the first of them."""
    lines = []
    for reason, paths in found.items():
        names = ", ".join(str(path) for path in paths[:_NAMED])
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        lines.append(f"passed over {len(paths)} {reason}: {names}{more}")
    return lines


def _reason(path: Path) -> str:
    if path.name.startswith("."):
        return _HIDDEN
    if path.is_symlink() and not path.exists():
        return _BROKEN
    if not path.is_file():
        return _IRREGULAR
    if not os.access(path, os.R_OK):
        return _UNREADABLE
    return _SET_ASIDE if counts_as_image(path) else _OTHER
