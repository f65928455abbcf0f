"""What a command needs of its surroundings: a home directory, and memory for its imports.

Containers and cron run commands as users without HOME and without an entry in the list of users.
Several libraries fail there as soon as they are imported, so a command gets one for its time.
"""

import atexit
import os
import pwd
import resource
import shutil
import tempfile
from pathlib import Path

from elbow_core.errors import UserError

_TEMPORARY_HOME = "ELBOW_TEMPORARY_HOME"
_MATPLOTLIB = "MPLCONFIGDIR"
_IMPORTS = 2**30


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


def require_address_space() -> None:
    """End the process in one line, with status 2, if its memory is limited to less than it imports.

    To be called before the imports: libraries crash, wait for ever or blame something else.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _IMPORTS:
        line = (
            f"error: memory is limited to {limit >> 20} MiB, and the libraries alone take "
            f"{_IMPORTS >> 20} MiB; allow more memory (ulimit -v)\n"
        )
        os.write(2, line.encode())
        os._exit(2)
