"""Environment of every test: one thread for each framework, no network, a compilation cache.

No framework is imported here, so that `make test-quick` starts at once.
"""

import os
import signal
from pathlib import Path

from tests.support.paths import RADIOGRAPHS, ROOT

# A shell starts `make test &` with Ctrl-C ignored, which the commands under test would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before the first import of a framework. Two workers share two cores, so each gets one thread.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".cache/jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

import hypothesis
import pytest

hypothesis.settings.register_profile("shared_cores", deadline=None)
hypothesis.settings.load_profile("shared_cores")


@pytest.fixture(scope="session")
def real_radiographs() -> Path:
    """The folder of real radiographs that may lie beside the project."""
    if not RADIOGRAPHS.is_dir():
        pytest.skip("the real radiographs (../shared/data) are not on this machine")
    return RADIOGRAPHS
