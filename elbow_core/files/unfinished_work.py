"""Work in a partial folder that a killed run leaves, and that the next run of the same key resumes.

The key says what the result depends on. It lies as a file in the last of the folders of the work.
"""

from collections.abc import Sequence
from pathlib import Path

from elbow_core.files.atomic import atomic_file
from elbow_core.files.bounded import NotRegularError, read_regular
from elbow_core.files.partial_folders import MARK, remove_content, sweep
from elbow_core.files.strict_json import SMALL_FILE

_KEY = "key"


def resume_work(partial: Path, key: str, names: Sequence[str]) -> list[Path]:
    """Return the named folders of a partial folder, with the work that a run of ``key`` left there.

    Where there is no such work, all that the partial folder contains is removed, but for its mark,
    and the folders are new and empty. The caller holds its lock (`marked_folder`).

    Raises `OSError`.
    """
    folders = [partial / name for name in names]
    if not is_work_of(folders[-1], key):
        remove_content(partial, keep=MARK)
        for folder in folders:
            folder.mkdir()
        with atomic_file(folders[-1] / _KEY) as file:
            file.write_bytes(key.encode())
    for folder in folders:
        sweep(folder)
    return folders


def is_work_of(folder: Path, key: str) -> bool:
    """Return whether a folder contains the work of a run with this key. Raises `OSError`."""
    try:
        return read_regular(folder / _KEY, SMALL_FILE) == key.encode()
    except (FileNotFoundError, NotADirectoryError, NotRegularError):
        return False
