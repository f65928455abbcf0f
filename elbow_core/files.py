"""Atomic files and folders, their permissions, and digests of files."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.locks import locked_folder

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
