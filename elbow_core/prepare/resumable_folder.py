"""A folder that appears when it is complete, and whose work an interrupted run can resume."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elbow_core.errors import ArchiveError, ManifestError, RadiographError, UserError
from elbow_core.files import atomic_file, remove_content
from elbow_core.locks import locked_folder

_WORK = "work"
_KEY = "key"


@contextmanager
def resumable_folder(out: Path, key: str) -> Iterator[tuple[Path, Path]]:
    """Yield a folder beside ``out``, renamed to ``out`` when the block succeeds, and one inside it.

    The inner folder contains the state of the work and is removed at the end. After a kill, an
    interrupt or a full disk both folders are kept; the next run with the same ``key`` resumes from
    them, and a run with another key empties them. After an error in the data both are removed.

    Raises `UserError` if the folder cannot be written or another process is preparing it.
    """
    directory = out.with_name(f".{out.name}.partial")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with locked_folder(directory, f"{out}: is being prepared by another process"):
            try:
                yield directory, _resume(directory, key)
                shutil.rmtree(directory / _WORK)
                directory.replace(out)
            except (ManifestError, RadiographError):
                shutil.rmtree(directory, ignore_errors=True)
                raise
    except (OSError, ArchiveError) as error:
        kept = f"; {directory} contains the finished part, and the same command resumes from it"
        raise UserError(
            f"{out}: cannot be written: {error}{kept if directory.is_dir() else ''}"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(value), encoding="utf-8")


def _resume(directory: Path, key: str) -> Path:
    """Return the inner folder; empty both folders first if it is missing or of another key."""
    work = directory / _WORK
    if not (work / _KEY).is_file() or (work / _KEY).read_text(encoding="utf-8") != key:
        remove_content(directory)
        work.mkdir()
        with atomic_file(work / _KEY) as partial:
            partial.write_text(key, encoding="utf-8")
    for leftover in (*directory.glob(".*.partial"), *work.glob(".*.partial")):
        leftover.unlink()
    return work
