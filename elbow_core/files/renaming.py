"""Names of files and folders that change at once, and content that has reached the disk."""

import ctypes
import errno
import functools
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

_RENAME_EXCHANGE = 2  # Linux
_RENAME_SWAP = 2  # macOS
_AT_FDCWD = -100
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two files or folders of one file system, at once.

    Returns False, and changes nothing, where the system or the file system cannot do so. Raises
    `OSError` for any other failure.

    Reference: renameat2(2), RENAME_EXCHANGE; renamex_np(2), RENAME_SWAP.
    """
    swap = _system_call()
    if swap is None:
        return False
    if swap(os.fsencode(first), os.fsencode(second)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(first), None, str(second))


def sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk.

    Raises `OSError`, but not where a file system cannot do this for folders.

    Reference: fsync(2).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED or not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Wait until a folder and all that it contains are on the disk; links are not followed."""
    for parent, _, files in os.walk(folder, topdown=False):
        for path in (Path(parent, name) for name in files):
            if stat.S_ISREG(path.lstat().st_mode):
                sync(path)
        sync(Path(parent))


@functools.cache
def _system_call() -> Callable[[bytes, bytes], int] | None:
    """Return a function that exchanges two names and returns 0, or None."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        renamex = getattr(library, "renamex_np", None)
        return None if renamex is None else lambda a, b: renamex(a, b, ctypes.c_uint(_RENAME_SWAP))
    renameat2 = getattr(library, "renameat2", None)
    if renameat2 is None:
        return None
    flags = ctypes.c_uint(_RENAME_EXCHANGE)
    return lambda a, b: renameat2(_AT_FDCWD, a, _AT_FDCWD, b, flags)
