"""Names of files and folders that are exchanged at once."""

import ctypes
import errno
import functools
import os
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
