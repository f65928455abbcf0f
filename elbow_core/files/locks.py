"""Locks that keep a second process out of a folder; the system frees those of a killed process."""

import errno
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from elbow_core.errors import UserError

_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def locked_folder(folder: Path, refusal: str) -> Iterator[None]:
    """Hold an exclusive lock on a folder; the system releases it when the process ends.

    Processes forked meanwhile do not hold it. On a file system without locks (some network ones) a
    line on standard error says so, and nothing is locked.

    Raises `UserError` with the message ``refusal`` if another process holds the lock.

    Reference: flock(2).
    """
    with _locked(os.open(folder, os.O_RDONLY), folder, refusal):
        yield


@contextmanager
def locked_file(path: Path, refusal: str) -> Iterator[None]:
    """Hold an exclusive lock on a file, created for that and removed afterwards.

    As `locked_folder`, and across the hosts of a network file system too: there, folders are locked
    on one host only. A killed process leaves the file, empty and unlocked.

    Raises `UserError` with the message ``refusal`` if another process holds the lock.

    Reference: flock(2), "NFS details".
    """
    with _locked(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), path, refusal) as is_holder:
        try:
            yield
        finally:
            if is_holder():
                path.unlink(missing_ok=True)


@contextmanager
def locked_output(path: Path) -> Iterator[None]:
    """Keep other processes from making a file or folder, by a lock beside it; see `locked_file`.

    For outputs that are made for longer than a moment; the folder above is created where missing.

    Raises `UserError` if another process makes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    refusal = f"{path}: is being written by another process; wait for it, or name another place"
    with locked_file(_lock_of(path), refusal):
        yield


def is_locked_output(path: Path) -> bool:
    """Return whether a process makes an output, or was killed before it removed the lock."""
    return _lock_of(path).exists()


def _lock_of(output: Path) -> Path:
    return output.with_name(f".{output.name}.lock")


@contextmanager
def _locked(descriptor: int, path: Path, refusal: str) -> Iterator[Callable[[], bool]]:
    """Lock an open file or folder, closed at the end; yield whether this process is the holder."""
    _held.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise UserError(refusal) from error
            print(
                f"{path}: its file system has no locks ({error.strerror}), so make sure that no "
                "other process writes there",
                file=sys.stderr,
            )
        if not _is_same(descriptor, path):
            raise UserError(refusal)
        yield lambda: descriptor in _held
    finally:
        if descriptor in _held:  # and not in a process forked meanwhile
            _held.discard(descriptor)
            os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


_held: set[int] = set()


def _close_held() -> None:
    """Close the locks in a forked process: a copy of a descriptor keeps the lock it stands for."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_held)
