"""Processes of other programs: their children, and whether they have ended (on Linux)."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

linux = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started from its main thread."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for child in children.split()]


def command_of(pid: int) -> str:
    """Return a process's command line, with blanks between the words; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and awaits its parent does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def assert_gone(pids: Sequence[int], seconds: float = 10.0) -> None:
    """Wait for processes to end."""
    deadline = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in pids if is_alive(pid)]
