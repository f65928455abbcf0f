"""The files to score: named one by one, in folders, or in lists."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from elbow_core.errors import ConfigError
from elbow_core.files import read_regular
from elbow_core.radiographs import (
    IMAGE_SUFFIXES,
    describe_passed_over,
    find_passed_over,
    list_image_files,
)

_LIST = "@"
_MAX_LIST = 1 << 30  # bytes
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class FoundImages:
    """The files to score, and what was passed over to find them."""

    paths: list[str]
    """In the order of the arguments; those of a folder are sorted."""
    passed_over: dict[str, list[Path]]
    """Other entries of the folders, by reason (`elbow_core.radiographs.find_passed_over`)."""


def find_images(arguments: Sequence[str]) -> FoundImages:
    """Return the given files, the image files in each given folder, and those in each given list.

    An argument ``@FILE`` is a list: a text file with the path of a file or folder in each line,
    relative to the working directory; empty lines count for nothing. A file whose own name begins
    so is given as ``./@NAME``.

    Raises:
        ConfigError: if a path does not exist, a folder holds no image file, or a list cannot be
            read or is empty.
    """
    found = FoundImages([], {})
    for argument in arguments:
        if argument.startswith(_LIST):
            for place, path in _entries_of(argument[len(_LIST) :]):
                _add(found, path, f"{place}: ")
        else:
            _add(found, Path(argument), "")
    return found


def _add(found: FoundImages, path: Path, place: str) -> None:
    if not path.is_dir():
        if not path.exists():
            raise ConfigError(f"{place}{path}: no such file or folder")
        found.paths.append(str(path))
        return
    images = list_image_files(path)
    others = find_passed_over(path, images)
    if not images:
        lines = ["holds no file that ends in " + ", ".join(IMAGE_SUFFIXES) + ", and no DICOM"]
        raise ConfigError(f"{place}{path}: {'; '.join(lines + describe_passed_over(others))}")
    found.paths.extend(map(str, images))
    for reason, entries in others.items():
        found.passed_over.setdefault(reason, []).extend(entries)


def _entries_of(name: str) -> Iterator[tuple[str, Path]]:
    """Yield each entry of a list, and the list's name and line, for messages."""
    if not name:
        raise ConfigError(f"{_LIST}: name a list of files behind it, as in {_LIST}files.txt")
    try:
        content = read_regular(Path(name), _MAX_LIST)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    lines = content.removeprefix(_BYTE_ORDER_MARK).split(b"\n")
    entries = [(number, line.rstrip(b"\r")) for number, line in enumerate(lines, start=1)]
    entries = [(number, line) for number, line in entries if line.strip()]
    if not entries:
        raise ConfigError(f"{name}: names no file; write the path of one in each line")
    for number, line in entries:
        yield f"{name}:{number}", Path(os.fsdecode(line))
