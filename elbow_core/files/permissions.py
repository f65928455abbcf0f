"""Permissions of files that libraries write through temporary ones."""

import os
import secrets
from pathlib import Path

_PRIVATE = 0o077  # mode bits that a file written through a temporary one lacks


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
    mode = _mode_of_new_files(path.parent)
    for entry in private:
        entry.chmod(mode | (mode & 0o444) >> 2 if entry.is_dir() else mode)


def _mode_of_new_files(folder: Path) -> int:
    """Return the permissions that the umask leaves; it cannot be read without changing it."""
    probe = folder / f".elbow-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666)  # a file without a name
    except (AttributeError, OSError):  # not on Linux, or on a file system without such files
        descriptor = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        probe.unlink()
    try:
        return os.fstat(descriptor).st_mode & 0o666
    finally:
        os.close(descriptor)
