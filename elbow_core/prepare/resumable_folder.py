"""A folder that appears when it is complete, and whose work an interrupted run can resume."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elbow_core.errors import ArchiveError, ManifestError, RadiographError, UserError
from elbow_core.files import (
    MARK,
    SMALL_FILE,
    NotRegularError,
    atomic_file,
    marked_folder,
    output_folder,
    partial_of,
    read_regular,
    remove_content,
    remove_marked,
    require_output_folder,
    sweep,
    sync_tree,
)

_DATA, _WORK = "data", "work"
_KEY = "key"


@contextmanager
def resumable_folder(out: Path, key: str) -> Iterator[tuple[Path, Path]]:
    """Yield a folder that is renamed to ``out`` when the block succeeds, and one for its work.

    Both lie in the partial folder ``.NAME.partial`` beside ``out``. The second contains the state
    of the work and is removed at the end. After a kill, an interrupt or a full disk both are kept;
    the next run with the same ``key`` resumes from them, and a run with another key empties them.
    After an error in the data both are removed.

    Raises `UserError` if the folder cannot be written, another process is preparing it, or the
    partial folder is not ours (`elbow_core.files.partial_folders`).
    """
    target = output_folder(out)
    partial = partial_of(target)
    try:
        with marked_folder(partial, f"{out}: is being prepared by another process"):
            require_output_folder(partial)
            try:
                data, work = _resume(partial, key)
                yield data, work
                sync_tree(data)
                data.replace(target)
                remove_marked(partial)
            except (ManifestError, RadiographError):
                remove_marked(partial)
                raise
    except (OSError, ArchiveError) as error:
        kept = f"; {partial} contains the finished part, and the same command resumes from it"
        raise UserError(
            f"{out}: cannot be written: {error}{kept if partial.is_dir() else ''}"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically."""
    with atomic_file(path) as partial:
        partial.write_text(json.dumps(value), encoding="utf-8")


def _resume(partial: Path, key: str) -> tuple[Path, Path]:
    """Return both folders; empty them first if there is no work, or that of another key."""
    data, work = partial / _DATA, partial / _WORK
    if not _is_work_of(work, key):
        remove_content(partial, keep=MARK)
        data.mkdir()
        work.mkdir()
        with atomic_file(work / _KEY) as file:
            file.write_bytes(key.encode())
    for folder in (data, work):
        sweep(folder)
    return data, work


def _is_work_of(work: Path, key: str) -> bool:
    try:
        return read_regular(work / _KEY, SMALL_FILE) == key.encode()
    except (FileNotFoundError, NotADirectoryError, NotRegularError):
        return False
