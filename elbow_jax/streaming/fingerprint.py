"""What the scores of files depend on, as one digest."""

import hashlib
import json
import os
from collections.abc import Sequence

from elbow_core.errors import MachineError

_VERSION = 2  # Raise it when the same settings give other scores or another table.


def fingerprint_of(paths: Sequence[str], settings: Sequence[str]) -> str:
    """Return a digest of the files and of what they are scored with.

    Of each file count path, length and time of change: reading them all again would take as long
    as scoring them on an accelerator.

    Args:
        paths: of the files.
        settings: texts that name the model, its settings and the devices.

    Raises:
        MachineError: if a file has gone.
    """
    digest = hashlib.sha256(json.dumps([_VERSION, *settings]).encode())
    for path in paths:
        try:
            found = os.stat(path)  # noqa: PTH116 a Path for each of many files is slow
        except OSError as error:
            raise MachineError(f"{path}: cannot be read: {error.strerror}") from error
        digest.update(os.fsencode(path) + b"\0")
        digest.update(f"{found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
