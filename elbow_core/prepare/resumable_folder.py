"""A folder that appears when it is complete, and whose work an interrupted run can resume."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elbow_core.errors import ArchiveError, ManifestError, RadiographError, UserError
from elbow_core.files import (
    atomic_file,
    marked_folder,
    output_folder,
    partial_of,
    remove_marked,
    require_output_folder,
    resume_work,
    sync_tree,
)

_DATA, _WORK = "data", "work"


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
                data, work = resume_work(partial, key, (_DATA, _WORK))
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
