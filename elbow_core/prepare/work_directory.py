"""A folder in the making: named when it is whole, and gone on with after an interruption."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from elbow_core.errors import ArchiveError, ManifestError, RadiographError, UserError
from elbow_core.files import atomic_file

_WORK = "work"
_KEY = "key"


@contextmanager
def making(out: Path, key: str) -> Iterator[tuple[Path, Path]]:
    """Give a folder beside ``out`` that takes its name when the block succeeds, and one inside it.

    The inner folder is for what the work needs to know of itself, and goes when all is done. A run
    that is killed, interrupted, or stopped by a full disk leaves both, and the next one with the
    same ``key`` finds them as they were; with another key it finds them empty. After an error in
    the data there is nothing to go on from, and both are removed.

    Raises `UserError` where the folder cannot be written, or another process is at it.
    """
    directory = out.with_name(f".{out.name}.partial")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = _lock(directory, out)
        try:
            yield directory, _begin(directory, key)
            shutil.rmtree(directory / _WORK)
            directory.replace(out)
        except (ManifestError, RadiographError):
            shutil.rmtree(directory, ignore_errors=True)
            raise
        finally:
            os.close(lock)
    except (OSError, ArchiveError) as error:
        kept = f"; {directory} keeps what was finished, and the same command goes on from it"
        raise UserError(
            f"{out}: cannot be written: {error}{kept if directory.is_dir() else ''}"
        ) from error


def _begin(directory: Path, key: str) -> Path:
    work = directory / _WORK
    if not (work / _KEY).is_file() or (work / _KEY).read_text(encoding="utf-8") != key:
        for left in directory.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()
        work.mkdir()
        with atomic_file(work / _KEY) as partial:
            partial.write_text(key, encoding="utf-8")
    for half_written in (*directory.glob(".*.partial"), *work.glob(".*.partial")):
        half_written.unlink()
    return work


def _lock(directory: Path, out: Path) -> int:
    """Lock a folder for this process; the lock ends with the descriptor that is returned."""
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock), directory.stat()):
            return lock
    except OSError:
        pass
    os.close(lock)
    raise UserError(f"{out}: is being prepared by another process")
