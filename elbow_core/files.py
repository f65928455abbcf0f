"""Atomic files and folders, folder locks, digests of files, and checks of paths."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elbow_core.errors import UserError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; it is renamed to ``path`` when the block succeeds.

    After an exception ``path`` is unchanged and the partial file is removed.

    Reference: rename(2), which replaces a file atomically.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
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

    Raises `UserError` with the message ``refusal`` if another process holds the lock.

    Reference: flock(2).
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(descriptor), folder.stat())
        except OSError:
            same = False
        if not same:
            raise UserError(refusal)
        yield
    finally:
        os.close(descriptor)


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


def require_writable(path: Path) -> None:
    """Raise `UserError` unless a file or folder can be created at ``path``, or in that folder."""
    existing = _existing(path.parent if path.is_file() else path)
    try:
        Path(tempfile.mkdtemp(prefix=".", dir=existing)).rmdir()
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {existing}: {error.strerror}") from error


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
