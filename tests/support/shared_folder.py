"""Folders that all processes of pytest-xdist share, so that what is in them is made once."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def made_once(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    make: Callable[..., None],
    *arguments: Any,
) -> Path:
    """Return the folder of this name, which tests may only read.

    The first process calls ``make(folder, *arguments)``, the others wait for it.
    """
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # the part that is common to all processes
    folder = folder / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            make(folder, *arguments)
            (folder / "complete").touch()
    return folder
