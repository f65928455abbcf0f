"""Searches files for words that no shared output may hold: places, hosts, users."""

import getpass
import os
import socket
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_SHORTEST = 5  # shorter words are in the bytes of weights by chance


def words_of_this_machine(folder: Path) -> list[str]:
    """Return the host's name, the user, the home directory, ``folder`` and its last part."""
    user = getpass.getuser()
    words = [
        *(socket.gethostname(), user, str(Path.home()), str(folder)),
        *(f"pytest-of-{user}", folder.name),
    ]
    return [word for word in words if len(word) >= _SHORTEST]


def places_with(words: Sequence[str], shared: Iterable[Path]) -> list[tuple[str, str]]:
    """Return (file, word) for each word in a name or in the bytes of a file, folders included."""
    found = []
    for top in shared:
        assert top.exists(), top
        for file in [top, *sorted(top.rglob("*"))]:
            name = file.relative_to(top.parent).as_posix()
            for content in (name.encode(), *_contents(file)):
                lower = content.lower()
                found += [(name, word) for word in words if _bytes(word) in lower]
    return found


def _bytes(word: str) -> bytes:
    return os.fsencode(word).lower()


def _contents(file: Path) -> Iterator[bytes]:
    """Yield the bytes of a file and of the members of an archive, with their names."""
    if not file.is_file():
        return
    yield file.read_bytes()
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                yield member.encode()
                yield archive.read(member)
