"""Commands that see other mounts than the rest of the machine."""

import subprocess

import pytest

SMALL_SHARED_MEMORY = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
READ_ONLY_SHARED_MEMORY = "mount -t tmpfs -o ro tmpfs /dev/shm"


def in_namespace(*mounts: str) -> list[str]:
    """Return the beginning of a command line that mounts first; skip where that is forbidden."""
    prefix = ["unshare", "--mount", "sh", "-c", "; ".join([*mounts, 'exec "$@"']), "sh"]
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare(1)")
    if tried.returncode:
        pytest.skip("needs the right to mount")
    return prefix
