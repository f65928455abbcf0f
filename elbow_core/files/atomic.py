"""Files and folders that are written whole or not at all."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files.outputs import output_file, output_folder
from elbow_core.files.partial_folders import (
    MARK,
    marked_folder,
    partial_of,
    remove_content,
    remove_marked,
    temporary_folder,
)
from elbow_core.files.permissions import apply_umask
from elbow_core.files.renaming import exchange
from elbow_core.files.syncing import sync, sync_tree

_NEW, _FORMER = "new", "former"  # in a partial folder


@contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write to; the file takes the place of ``path`` when the block succeeds.

    What ``path`` may be, `elbow_core.files.outputs` says. The yielded path has the name of
    ``path``, in a new folder beside it that others cannot write, so that two processes never share
    it. With ``durable`` the content is on the disk before it gets its name. After an exception
    ``path`` is unchanged and nothing else is left.

    Raises `UserError` if ``path`` may not be written, and `OSError`.

    Reference: rename(2), which replaces a file atomically.
    """
    target = output_file(path)
    if target is None:
        with tempfile.TemporaryDirectory(prefix="elbow-") as folder:
            partial = Path(folder, "content")
            yield partial
            with partial.open("rb") as source, path.open("wb", buffering=0) as device:
                shutil.copyfileobj(source, device)
        return
    with temporary_folder(target.parent) as folder:
        partial = folder / target.name
        yield partial
        apply_umask(partial)
        if durable:
            sync(partial)
        if target.is_symlink() or output_file(target) is None:
            raise UserError(f"{path}: has become a link or a device; nothing was written")
        partial.replace(target)
        if durable:
            sync(target.parent)


@contextmanager
def atomic_folder(
    path: Path, *, may_replace: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Yield an empty folder; it takes the place of ``path`` when the block succeeds.

    ``path`` must be absent or an empty folder. With ``may_replace`` it may be any folder for which
    that function does not raise; it is called before and after the exchange, so that nothing is
    removed that it does not accept. At every moment ``path`` is the former folder or the new one,
    except on file systems that cannot exchange two names: there a kill between two renames leaves
    neither, and the next call restores the former. After an exception ``path`` is unchanged.

    The work lies in the partial folder ``.NAME.partial`` beside ``path``, which is locked.

    Raises `UserError` if the folder cannot be created, or another process is writing it.
    """
    target = output_folder(path)
    partial = partial_of(target)
    with marked_folder(partial, f"{path}: is being written by another process"):
        new, former = partial / _NEW, partial / _FORMER
        try:
            _restore(former, target)
            remove_content(partial, keep=MARK)
            new.mkdir()
            yield new
            apply_umask(new)
            sync_tree(new)
            if may_replace is not None and target.is_dir():
                _replace(target, new, former, may_replace)
            else:
                new.replace(target)
            sync(target.parent)
        finally:
            with suppress(OSError):  # The next call does what fails here.
                _restore(former, target)
                remove_marked(partial)


def _replace(target: Path, new: Path, former: Path, may_replace: Callable[[Path], None]) -> None:
    """Exchange a folder and its successor; the former folder is then in the partial folder."""
    may_replace(target)
    if exchange(new, target):
        try:
            may_replace(new)
        except BaseException:  # Someone has just put a file there.
            exchange(new, target)
            raise
    else:
        target.rename(former)
        new.rename(target)


def _restore(former: Path, target: Path) -> None:
    """Give a former folder its name back if nothing has that name."""
    if former.is_dir() and not target.exists():
        former.rename(target)
