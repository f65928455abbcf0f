"""Processes that hold a lock, for the tests of locks."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


def hold(code: str, folder: Path) -> subprocess.Popen[str]:
    """Start a process that enters a context manager on a folder, and wait until it is inside."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from elbow_core.files import atomic_folder\n"
        "from elbow_core.files import locked_folder\n"
        f"with {code} as inside:\n"
        "    if inside: (inside / 'half.txt').write_text('half')\n"
        "    print('inside', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()
