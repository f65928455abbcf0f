"""What a killed process leaves of an unfinished output."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

_WRITE_HALF = """
import os, signal, sys
from pathlib import Path
from elbow_core.files import atomic_file
with atomic_file(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def leave_half_file(path: Path) -> Path:
    """Kill a process that is writing a file; return the partial folder that it leaves."""
    before = set(path.parent.iterdir())
    done = subprocess.run([sys.executable, "-c", _WRITE_HALF, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = set(path.parent.iterdir()) - before
    return left
