"""What a command needs of a disk: a place that can be written, room, a name that can be opened."""

import errno
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files.partial_folders import partial_of

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ROOM_FOR_PARTIAL = len(partial_of(Path("x")).name) - 1
_NO_ROOM = 2**16  # bytes free on a disk that is full


def require_writable(path: Path) -> None:
    """Raise `UserError` unless a file or folder can be created at ``path``, or in that folder.

    A broken link is refused, and so is a name that leaves no room for that of the unfinished work.
    """
    try:
        if path.is_symlink() and not path.exists():
            raise UserError(f"{path}: is a link to {path.readlink()}, which does not exist")
        existing = _existing(path.parent if path.is_file() else path)
        if not path.exists() and existing.is_dir():
            longest = os.pathconf(existing, "PC_NAME_MAX") - _ROOM_FOR_PARTIAL
            if any(len(os.fsencode(part)) > longest for part in path.parts):
                raise UserError(f"{path}: cannot be written: a name is longer than {longest} bytes")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        # On Linux a file without a name, of which a killed process leaves nothing.
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {existing}: {error.strerror}") from error


def require_room(path: Path, size: int, purpose: str) -> None:
    """Raise `UserError` if the disk of ``path`` has less than ``size`` bytes free.

    ``purpose`` says what needs them, such as "the next checkpoint".
    """
    free = shutil.disk_usage(_existing(path)).free
    if free < size:
        raise UserError(
            f"{path}: {purpose} needs {size / 2**20:,.2f} MiB, and its disk has "
            f"{free / 2**20:,.2f} MiB free; make room, or write to another disk"
        )


def is_full(error: BaseException, path: Path | None = None) -> bool:
    """Return whether an error says that a disk is full or a quota used up.

    Libraries in other languages raise errors of their own, with the system's words or number, or
    without them: ``path`` is then a place on the disk, to see whether it has no room.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    if _names(error, _FULL):
        return True
    return path is not None and shutil.disk_usage(_existing(path)).free < _NO_ROOM


def is_of_the_system(error: BaseException) -> bool:
    """Return whether an error of a library says that the system refuses or fails to read or write.

    Libraries in other languages raise errors of their own, with the system's words or number.
    """
    return _names(error, (*_FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE))


def _names(error: BaseException, codes: Sequence[int]) -> bool:
    words = [text for code in codes for text in (os.strerror(code), f"(os error {code})")]
    return any(text.lower() in str(error).lower() for text in words)


def _existing(path: Path) -> Path:
    """Return the nearest folder above ``path``, or itself, that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def require_utf8_name(path: Path) -> None:
    """Raise `UserError` if a path is not UTF-8: some libraries cannot open it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{path}: its name contains bytes that are not UTF-8; rename it, or give a link to it "
            "with another name"
        ) from error
