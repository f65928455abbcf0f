import resource
import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
import numpy as np
from elbow_jax.startup import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(77)
np.ones(2**25, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(2**25, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    ended = subprocess.run(
        [sys.executable, "-c", MEASURE, mode], capture_output=True, text=True, check=False
    )
    if ended.returncode == 77:
        pytest.skip("the C library is not glibc")
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout)


def test_freed_memory_is_used_again_without_faults():
    pages = 5 * 2**27 // resource.getpagesize()
    assert faults("keep") < pages / 100
    assert faults("leave") > 5 * faults("keep")
