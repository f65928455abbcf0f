"""A home directory, or one for the time of a command where the user has none.

Containers and cron run commands as users without HOME and without an entry in the list of users.
Several libraries fail there as soon as they are imported.
"""

import atexit
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from elbow_core.errors import UserError

_TEMPORARY_HOME = "ELBOW_TEMPORARY_HOME"
_MATPLOTLIB = "MPLCONFIGDIR"


def ensure_home() -> None:
    """Set HOME, where the user has no home directory, to a folder that the command's end removes.

    A home directory that cannot be written stays, since caches and tokens may be read from it;
    matplotlib, which warns about it, gets a temporary folder.

    Raises `UserError` if no temporary folder can be written either.
    """
    try:
        home = Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.environ[_TEMPORARY_HOME] = _temporary_folder()
        home = Path.home()
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:  # getpass.getuser() needs a name
        os.environ.setdefault("USER", str(os.getuid()))
    if _MATPLOTLIB not in os.environ and not _writable(home):
        os.environ[_MATPLOTLIB] = _temporary_folder()


def home_is_temporary() -> bool:
    """Return whether HOME is a folder from `ensure_home`: what is kept there is lost."""
    temporary = os.environ.get(_TEMPORARY_HOME)
    return temporary is not None and temporary == os.environ.get("HOME")


def _temporary_folder() -> str:
    try:
        folder = tempfile.mkdtemp(prefix="elbow_")
    except OSError as error:
        raise UserError(
            f"neither a home directory nor a temporary folder can be written ({error.strerror}); "
            "set HOME or TMPDIR to a folder that can"
        ) from error
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _writable(home: Path) -> bool:
    return home.is_dir() and os.access(home, os.W_OK | os.X_OK)
