"""What an output may be written to, checked before the work: one rule for every command.

A file is replaced as a whole, and only where it could be overwritten. A link to a file stands for
that file, a link to a folder for that folder. A pipe or a character device (`/dev/null`) is written
to and stays. A folder in place of a file, a block device, a socket, a broken link and a name that
is too long are refused.
"""

import os
import re
import stat
from pathlib import Path

from elbow_core.errors import UserError
from elbow_core.files.disk import require_room
from elbow_core.files.partial_folders import sweep, temporary_folder

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\([0-7]{3})")  # of a blank or a backslash in it


def require_output_file(
    path: Path,
    option: str = "",
    *,
    mark: str | tuple[str, ...] = "",
    size: int = 0,
    make_folder: bool = False,
    regular: bool = False,
) -> None:
    """Check that a file of ``size`` bytes can be written; ``option``, as --out, begins a message.

    A file that exists is replaced only if it is empty or begins with ``mark``, or one of several,
    such as the header of a table: any other is the user's own.

    With ``regular``, for a file within a folder of ours, a pipe or device is refused: writing to
    it could wait for ever.

    Nothing is changed, except that the leftovers of killed processes beside it are removed, and
    with ``make_folder`` its folder is created where it is missing.

    Raises `UserError`.
    """
    try:
        if make_folder:
            _make_folder(path.parent)
        target = output_file(path)
        if target is None and regular:
            raise UserError(f"{path}: is a pipe or a device, where a file belongs; remove it")
        if target is None:
            _probe_device(path)
        else:
            _require_mark(target, path, mark)
            _probe_folder(target.parent)
            sweep(target.parent)
            require_room(path, size, "its content")
    except UserError as error:
        raise UserError(f"{option}: {error}" if option else str(error)) from error


def output_file(path: Path) -> Path | None:
    """Return the regular file, existing or new, that ``path`` stands for; None for a device.

    A pipe counts as a device. Raises `UserError` if it may not be written.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise UserError(
                f"{path}: is a link to {path.readlink()}, which does not exist; remove the link"
            ) from None
        if not path.parent.is_dir():
            raise UserError(
                f"{path}: cannot be written: {path.parent} does not exist; make it first"
            ) from None
        _require_short(path)
        return path
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a socket or a block device"
        raise UserError(f"{path}: is {kind}; name a file")
    target = Path(os.path.realpath(path))
    if is_mount_point(target):
        raise UserError(f"{path}: is mounted, so no file can replace it; mount a folder instead")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    return target


def output_folder(path: Path) -> Path:
    """Return the folder, existing or new, that ``path`` stands for; raises `UserError`."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        _require_short(path)
        return path
    except OSError as error:
        raise UserError(f"{path}: cannot be created: {error.strerror}") from error
    if stat.S_ISLNK(mode) and not path.exists():
        raise UserError(
            f"{path}: is a link to {path.readlink()}, which does not exist; remove the link"
        )
    if not path.is_dir():
        raise UserError(f"{path}: is a file; name a folder")
    target = Path(os.path.realpath(path))
    if is_mount_point(target):
        raise UserError(f"{path}: is mounted, so nothing can replace it; name a folder inside it")
    if not os.access(target, os.W_OK):  # needed to move it
        raise UserError(f"{path}: cannot be written: Permission denied")
    return target


def is_mount_point(path: Path) -> bool:
    """Return whether a file or folder is mounted, also from elsewhere in its own file system.

    Reference: proc_pid_mountinfo(5), fields 5 and following.
    """
    if os.path.ismount(path):
        return True
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return False
    places = (_OCTAL.sub(lambda code: bytes([int(code[1], 8)]), line.split()[4]) for line in lines)
    return os.fsencode(path) in places


def require_output_folder(path: Path, option: str = "") -> None:
    """Create a folder for outputs where it is missing, and check that files can be created in it.

    The leftovers of killed processes in it are removed. Raises `UserError`.
    """
    try:
        _make_folder(path)
        _probe_folder(path)
        sweep(path)
    except UserError as error:
        raise UserError(f"{option}: {error}" if option else str(error)) from error


def _require_mark(target: Path, path: Path, mark: str | tuple[str, ...]) -> None:
    if not target.exists():
        return
    marks = tuple(text.encode() for text in ((mark,) if isinstance(mark, str) else mark))
    try:
        with target.open("rb") as file:
            start = file.read(max(1, *map(len, marks)))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if start and not start.startswith(marks):
        raise UserError(
            f"{path}: exists and was not written by this command; move it away, or name another "
            "file"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file; name a folder" if folder.is_file() else error.strerror
        raise UserError(f"{folder}: cannot be created: {reason}") from error


def _probe_folder(folder: Path) -> None:
    try:
        with temporary_folder(folder) as probe:
            # With content: on a full disk an empty file can still be created.
            (probe / "probe").write_bytes(bytes(4096))
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from error


def _probe_device(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise UserError(f"{path}: cannot be written: Permission denied")
    if path.is_fifo():  # Opening it would wait for a reader, or end what the reader reads.
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            os.write(descriptor, b"")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error


def _require_short(path: Path) -> None:
    """Raise `UserError` for a name that the file system cannot hold."""
    folder = path.absolute().parent
    while not folder.is_dir():
        folder = folder.parent
    longest = os.pathconf(folder, "PC_NAME_MAX")
    if len(os.fsencode(path.name)) > longest:
        raise UserError(f"{path}: cannot be written: its name has more than {longest} bytes")
