"""Folders that a command replaces as a whole; one that holds anything else is refused."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from elbow_core.errors import PredictionsError, UserError
from elbow_core.files import atomic_folder, output_folder, read_json, require_writable

_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")  # from looking at the folder
_MAX_BYTES = 2**26  # of the mark


@dataclass(frozen=True, slots=True)
class OwnFolder:
    """What this and earlier versions of a command write into their folder."""

    kind: str
    """As in "that of a report"."""
    mark: str
    """The JSON file that tells the folder from anyone else's."""
    is_mark: Callable[[Any], bool]
    """Whether the content of that file is ours."""
    files: re.Pattern[str]
    """Names of the other files."""
    folders: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    """Folders, and the names of the files in each."""


def require_own_folder(out: Path, kind: OwnFolder) -> None:
    """Raise `PredictionsError` unless ``out`` is absent, empty or of this kind alone.

    The mark is there and ours, and every other entry is one that the command writes.
    """
    try:
        folder = output_folder(out)
        require_writable(folder.absolute().parent)
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
        for name in kind.folders:
            inner = folder / name
            if inner.is_dir() and not inner.is_symlink():
                entries += sorted(inner.iterdir())
    except (OSError, UserError) as error:
        raise PredictionsError(str(error)) from error
    for entry in entries:
        if not _is_own(entry, folder, kind):
            raise PredictionsError(
                f"{out}: holds other files, such as {entry.relative_to(folder)}; move them away, "
                "or name a folder that is new or empty"
            )
    if entries and not _has_mark(folder, kind):
        raise PredictionsError(
            f"{out}: holds other files: {kind.mark} is missing or not that of {kind.kind}; name a "
            "folder that is new or empty"
        )


@contextmanager
def own_folder(out: Path, kind: OwnFolder) -> Iterator[Path]:
    """Yield an empty folder that replaces ``out`` when the block succeeds; it is locked meanwhile.

    After an exception ``out`` is unchanged. Raises `PredictionsError` if it cannot be written,
    holds other files, or another process is writing there.
    """
    require = partial(require_own_folder, kind=kind)
    require(out)
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(atomic_folder(out, may_replace=require))
        except UserError as error:
            raise PredictionsError(str(error)) from error
        yield folder


def _is_own(entry: Path, folder: Path, kind: OwnFolder) -> bool:
    if entry.parent == folder and entry.name in kind.folders:
        return entry.is_dir() and not entry.is_symlink()
    if entry.is_symlink() or not entry.is_file():
        return False
    if entry.name in _SYSTEM_FILES:
        return True
    if entry.parent == folder:
        return entry.name == kind.mark or kind.files.fullmatch(entry.name) is not None
    return kind.folders[entry.parent.name].fullmatch(entry.name) is not None


def _has_mark(folder: Path, kind: OwnFolder) -> bool:
    try:
        return kind.is_mark(read_json(folder / kind.mark, _MAX_BYTES))
    except (OSError, ValueError):
        return False
