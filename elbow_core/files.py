"""Atomic files and folders, folder locks, digests of files, room on a disk, names of files."""

import errno
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elbow_core.errors import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_NO_ROOM = 2**16  # bytes free on a disk that is full
_PRIVATE = 0o077  # mode bits that a file written through a temporary one lacks


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it is renamed to ``path`` when the block succeeds.

    After an exception ``path`` is unchanged and the partial file is removed.

    Reference: rename(2), which replaces a file atomically.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        apply_umask(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside ``path``; it is renamed to ``path`` when the block succeeds.

    The leftover of a killed process is removed first. With ``replace`` the new folder takes the
    place of an existing folder ``path`` once it is complete; without it ``path`` must be absent or
    empty. After an exception ``path`` is unchanged and the partial folder is removed.

    Raises `UserError` if the folder cannot be created, or another process is writing it.
    """
    partial = path.with_name(f".{path.name}.partial")
    former = path.with_name(f".{path.name}.former")
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be created: {error.strerror}") from error
    with locked_folder(partial, f"{path}: is being written by another process"):
        try:
            remove_content(partial)
            yield partial
            apply_umask(partial)
            if replace and path.is_dir():
                shutil.rmtree(former, ignore_errors=True)
                path.rename(former)
            partial.replace(path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            if former.exists() and not path.exists():
                former.rename(path)
            raise
        shutil.rmtree(former, ignore_errors=True)


@contextmanager
def locked_folder(folder: Path, refusal: str) -> Iterator[None]:
    """Hold an exclusive lock on a folder; the system releases it when the process ends.

    Processes forked meanwhile do not hold it. On a file system without locks (some network ones) a
    line on standard error says so, and nothing is locked.

    Raises `UserError` with the message ``refusal`` if another process holds the lock.

    Reference: flock(2).
    """
    descriptor = os.open(folder, os.O_RDONLY)
    _held.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise UserError(refusal) from error
            print(
                f"{folder}: its file system has no locks ({error.strerror}), so make sure that no "
                "other process writes there",
                file=sys.stderr,
            )
        if not _is_same(descriptor, folder):
            raise UserError(refusal)
        yield
    finally:
        if descriptor in _held:  # and not in a process forked meanwhile
            _held.discard(descriptor)
            os.close(descriptor)


def _is_same(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except OSError:
        return False


_held: set[int] = set()


def _close_held() -> None:
    """Close the locks in a forked process: a copy of a descriptor keeps the lock it stands for."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_held)


def apply_umask(path: Path) -> None:
    """Give a file, or all that a folder contains, the permissions that the umask leaves.

    Libraries that write through temporary files leave them readable by their owner alone. Only
    files and folders without any permission for others are changed; links are not followed.

    Reference: mkstemp(3), umask(2).
    """
    entries = [path, *path.rglob("*")]
    private = [
        entry
        for entry in entries
        if not entry.is_symlink() and entry.exists() and not entry.stat().st_mode & _PRIVATE
    ]
    if not private:
        return
    with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        probe = Path(folder) / "probe"
        probe.touch()
        mode = probe.stat().st_mode & 0o666
    for entry in private:
        entry.chmod(mode | (mode & 0o444) >> 2 if entry.is_dir() else mode)


def require_writable(path: Path) -> None:
    """Raise `UserError` unless a file or folder can be created at ``path``, or in that folder."""
    existing = _existing(path.parent if path.is_file() else path)
    try:
        Path(tempfile.mkdtemp(prefix=".", dir=existing)).rmdir()
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
    words = [text for code in _FULL for text in (os.strerror(code), f"os error {code}")]
    if any(text.lower() in str(error).lower() for text in words):
        return True
    return path is not None and shutil.disk_usage(_existing(path)).free < _NO_ROOM


def _existing(path: Path) -> Path:
    """Return the nearest folder above ``path``, or itself, that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def remove_content(folder: Path) -> None:
    """Remove all files and folders in a folder; links are removed, not followed."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal; raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_utf8_name(path: Path) -> None:
    """Raise `UserError` if a path is not UTF-8: some libraries cannot open it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{path}: its name contains bytes that are not UTF-8; rename it, or give a link to it "
            "with another name"
        ) from error
