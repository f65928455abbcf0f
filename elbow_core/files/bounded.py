"""Read a whole file under a limit: never a pipe, a device or a folder, never more than expected."""

import errno
import os
import stat
from pathlib import Path

_PART = 1 << 16


class NotRegularError(OSError):
    """A path that is no regular file, such as a pipe, a device or a folder."""


def open_regular(path: Path | str) -> int:
    """Open a regular file for reading, without waiting; return its descriptor. Links are followed.

    What was opened is checked, not its name: a pipe that nobody writes to does not stop the
    command, and a device does not fill the memory.

    Raises `NotRegularError`, and `OSError` as `open` does.

    Reference: open(2), O_NONBLOCK; fstat(2).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(errno.EINVAL, "is not a regular file", str(path))
    return descriptor


def read_regular(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file, opened by `open_regular`.

    A sparse file counts with its length. What is hashed and what is parsed are the same bytes.

    Args:
        path: of the file.
        limit: its greatest length in bytes.

    Raises:
        OSError: as `open` does; also with "is not a regular file" or "has more than N bytes" as
            the reason.
    """
    descriptor = open_regular(path)
    try:
        parts, room, expected = [], limit + 1, os.fstat(descriptor).st_size
        # A file may grow while it is read, and some of the system's have the length 0.
        while expected < room and (part := os.read(descriptor, min(room, max(expected, _PART)))):
            parts.append(part)
            room -= len(part)
            expected = max(expected - len(part), 0)
        if expected >= room:
            raise OSError(errno.EFBIG, f"has more than {limit} bytes", str(path))
    finally:
        os.close(descriptor)
    return parts[0] if len(parts) == 1 else b"".join(parts)
