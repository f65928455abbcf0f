import os
import resource
import subprocess
import sys

import pytest

from elbow_jax.ops.cpu.cores import available_cores

MEASURE = """
import resource, sys
import numpy as np
from elbow_jax.runtime import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(77)
np.ones(2**25, np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(2**25, np.float32)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    process = subprocess.run(
        [sys.executable, "-c", MEASURE, mode], capture_output=True, text=True, check=False
    )
    if process.returncode == 77:
        pytest.skip("the C library is not glibc")
    assert process.returncode == 0, process.stderr
    return int(process.stdout)


def test_freed_memory_is_reused_without_page_faults():
    pages = 5 * 2**27 // resource.getpagesize()
    assert page_faults("keep") < pages / 100
    assert page_faults("leave") > 5 * page_faults("keep")


PRINT_FLAGS = """
import os
from elbow_jax.runtime import choose_xla_flags
choose_xla_flags()
import jax.numpy as jnp
jnp.ones((8, 8)) @ jnp.ones((8, 8))
print(os.environ["XLA_FLAGS"])
"""
EIGEN = "--xla_cpu_experimental_ynn_fusion_type="
SCHEDULER = "--xla_cpu_enable_concurrency_optimized_scheduler="
WIDTH = "--xla_cpu_prefer_vector_width=512"


@pytest.mark.parametrize(
    ("existing", "flags"),
    [
        ("", f"{EIGEN} {SCHEDULER}false {WIDTH}"),
        (
            "--xla_cpu_multi_thread_eigen=false",
            f"--xla_cpu_multi_thread_eigen=false {EIGEN} {SCHEDULER}false {WIDTH}",
        ),
        (
            f"{EIGEN}LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
            f"{EIGEN}LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT {SCHEDULER}false {WIDTH}",
        ),
        (f"{SCHEDULER}true {EIGEN}", f"{SCHEDULER}true {EIGEN} {WIDTH}"),
    ],
)
def test_flags_not_set_by_the_user_are_added_and_known_to_xla(existing, flags):
    process = subprocess.run(
        [sys.executable, "-c", PRINT_FLAGS],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XLA_FLAGS": existing},
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == flags


PRINT_CACHE = """
import os
from elbow_jax.runtime import startup
startup.use_compilation_cache()
import jax
print(jax.config.jax_compilation_cache_dir)
"""


def test_compilation_cache_is_separate_for_each_number_of_cores(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    process = subprocess.run(
        [sys.executable, "-c", PRINT_CACHE],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    folder = tmp_path / "elbow_jax" / f"{available_cores()}_cores"
    assert process.stdout.strip() == str(folder)
