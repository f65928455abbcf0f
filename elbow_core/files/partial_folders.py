"""Folders of unfinished work, which only the project itself may remove.

A partial folder lies beside the output that it becomes. It is a real folder with a file of ours in
it, `MARK`, whose content is fixed, and it is locked while a process works in it. A folder of that
name that is a link, is another user's, or holds anything without the mark is the user's own: it is
refused by name, and neither emptied nor written.
"""

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files.locks import locked_folder

_PREFIX, _SUFFIX = ".elbow-", ".partial"
"""Of temporary folders, which `sweep` removes after a kill."""
_TEMPORARY = re.compile(re.escape(_PREFIX) + "[a-z0-9_]{8}" + re.escape(_SUFFIX), re.ASCII)
MARK = "partial_of_elbow_radiographs"
_CONTENT = b"Unfinished output of elbow-radiographs, format 1; its next run removes this folder.\n"


def partial_of(output: Path) -> Path:
    """Return the partial folder, of a fixed name, of an output that is a folder."""
    return output.with_name(f".{output.name}{_SUFFIX}")


@contextmanager
def marked_folder(partial: Path, refusal: str) -> Iterator[None]:
    """Create a partial folder of a fixed name, or take over that of a killed process; lock it.

    Its content is left as it is; the folder stays when the block ends.

    Raises `UserError` with the message ``refusal`` if another process works in it, and one that
    names the folder if it cannot be created or is not ours.
    """
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        sweep(partial.parent)
        with suppress(FileExistsError):
            partial.mkdir()
        problem = _foreign(partial)
    except OSError as error:
        raise UserError(f"{partial}: cannot be created: {error.strerror}") from error
    if problem:
        raise UserError(f"{partial}: {problem}; move it away, or choose another output")
    with locked_folder(partial, refusal):
        if not _has_mark(partial):
            if any(entry.name != MARK for entry in partial.iterdir()):
                raise UserError(
                    f"{partial}: holds files that this program did not mark as its own; move it "
                    "away, or choose another output"
                )
            _write_mark(partial)
        yield


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a new, locked partial folder with a random name; it is removed with its content.

    Raises `OSError`.
    """
    with ExitStack() as lock:
        partial = _new_locked_folder(parent, lock)
        try:
            _write_mark(partial)
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            if partial.exists():  # Its names could not be read; only the mark is left, as a rule.
                with suppress(OSError):
                    (partial / MARK).unlink(missing_ok=True)
                    partial.rmdir()


def sweep(parent: Path) -> None:
    """Remove what killed processes left of `temporary_folder` in a folder, and nothing else.

    A folder is removed if it has the mark, is our own, and no process holds its lock. What cannot
    be removed stays.
    """
    with suppress(OSError):
        for entry in parent.iterdir():
            if is_partial_name(entry.name):
                remove_abandoned(entry)


def is_partial_name(name: str) -> bool:
    """Return whether a folder of this name may be one of `temporary_folder`.

    The partial folder of an output called elbow-scores.csv is none: a later run resumes from it.

    Reference: `tempfile`, whose random names have eight characters.
    """
    return _TEMPORARY.fullmatch(name) is not None


def remove_abandoned(partial: Path) -> None:
    """Remove a partial folder that has the mark, is our own, and that no process works in.

    An empty folder, or one with an empty mark, is what a kill leaves before the mark is written.
    """
    with suppress(OSError):
        if _foreign(partial) is None:
            with _lock_if_free(partial) as is_free:
                if is_free and (_has_mark(partial) or _is_blank(partial)):
                    remove_marked(partial)


def remove_finished(output: Path) -> None:
    """Remove the partial folder of a complete output, which a kill at the very end leaves."""
    with suppress(OSError):
        if any(output.iterdir()):
            remove_abandoned(partial_of(output))


def remove_marked(partial: Path) -> None:
    """Remove a partial folder that this process has marked or checked; the mark goes last.

    A kill meanwhile leaves a folder that is recognised. Raises `OSError`.
    """
    remove_content(partial, keep=MARK)
    (partial / MARK).unlink(missing_ok=True)
    partial.rmdir()


def remove_content(folder: Path, keep: str = "") -> None:
    """Remove all files and folders in a folder, except one name; links are not followed."""
    for entry in folder.iterdir():
        if entry.name == keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _new_locked_folder(parent: Path, lock: ExitStack) -> Path:
    """Create a partial folder; the lock, which `sweep` respects, is held until ``lock`` closes."""
    while True:
        partial = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=parent))
        with suppress(FileNotFoundError), ExitStack() as attempt:
            try:
                is_free = attempt.enter_context(_lock_if_free(partial))
            except OSError:
                with suppress(OSError):
                    partial.rmdir()
                raise
            # Another process may have taken it for a leftover before it was locked.
            if is_free is not False and partial.exists():
                lock.push(attempt.pop_all())
                return partial


@contextmanager
def _lock_if_free(folder: Path) -> Iterator[bool | None]:
    """Lock a folder, and yield whether that succeeded; None if the file system has no locks.

    Raises `OSError` if it cannot be opened.

    Reference: flock(2).
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = True
        except BlockingIOError:
            is_free = False
        except OSError:
            is_free = None
        yield is_free
    finally:
        os.close(descriptor)


def _foreign(partial: Path) -> str | None:
    """Return why a path cannot be a folder of ours, or None. Raises `OSError` if it is missing."""
    found = partial.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return "is a link" if stat.S_ISLNK(found.st_mode) else "is not a folder"
    if found.st_uid == os.geteuid():
        return None
    # Some network file systems show our own folders under another number.
    probe = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=partial.parent))
    try:
        return None if probe.lstat().st_uid == found.st_uid else "belongs to another user"
    finally:
        probe.rmdir()


def _is_blank(partial: Path) -> bool:
    """Return whether a kill left a folder before it was marked: empty, or with part of a mark."""
    names = [entry.name for entry in partial.iterdir()]
    return not names or (names == [MARK] and _CONTENT.startswith(_read_mark(partial)))


def _has_mark(partial: Path) -> bool:
    return _read_mark(partial) == _CONTENT


def _read_mark(partial: Path) -> bytes:
    """Return the beginning of the file `MARK`; another text if there is no such file."""
    try:
        descriptor = os.open(partial / MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b"?"
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, len(_CONTENT) + 1) if is_file else b"?"
    finally:
        os.close(descriptor)


def _write_mark(partial: Path) -> None:
    mark = partial / MARK
    with suppress(FileNotFoundError):
        mark.lstat()
        if not _CONTENT.startswith(_read_mark(partial)):
            raise UserError(f"{mark}: is not this program's file; move it away")
        mark.unlink()  # incomplete, as a kill leaves it
    descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        os.write(descriptor, _CONTENT)
    finally:
        os.close(descriptor)
