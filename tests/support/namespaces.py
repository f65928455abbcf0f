"""Scripts that see another mount than the rest of the machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SMALL_SHARED_MEMORY = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
READ_ONLY_SHARED_MEMORY = "mount -t tmpfs -o ro tmpfs /dev/shm"


def run_in_namespace(mount: str, folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Write a script into a folder and run it after a mount; skip where that is forbidden."""
    prefix = ["unshare", "--mount", "sh", "-c", f'{mount}; exec "$@"', "sh"]
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare(1)")
    if tried.returncode:
        pytest.skip("needs the right to mount")
    script = folder / "script.py"  # a file, which worker processes import
    script.write_text(code)
    return subprocess.run(
        [*prefix, sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
