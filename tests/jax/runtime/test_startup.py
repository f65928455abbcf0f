import os
import resource
import subprocess
import sys

import pytest

from elbow_jax.ops.cpu.cores import available_cores

MEASURE = """
import resource, sys
import numpy as np
from elbow_jax.runtime.startup import keep_freed_memory
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


CHOSEN = """
import os
from elbow_jax.runtime.startup import choose_xla_flags
choose_xla_flags()
import jax.numpy as jnp
jnp.ones((8, 8)) @ jnp.ones((8, 8))
print(os.environ["XLA_FLAGS"])
"""
PRODUCTS = "--xla_cpu_experimental_ynn_fusion_type="
ORDER = "--xla_cpu_enable_concurrency_optimized_scheduler="
WIDTH = "--xla_cpu_prefer_vector_width=512"


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ("", f"{PRODUCTS} {ORDER}false {WIDTH}"),
        (
            "--xla_cpu_multi_thread_eigen=false",
            f"--xla_cpu_multi_thread_eigen=false {PRODUCTS} {ORDER}false {WIDTH}",
        ),
        (
            f"{PRODUCTS}LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT",
            f"{PRODUCTS}LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT {ORDER}false {WIDTH}",
        ),
        (f"{ORDER}true {PRODUCTS}", f"{ORDER}true {PRODUCTS} {WIDTH}"),
    ],
)
def test_flags_are_set_where_not_given_and_xla_knows_them(given, flags):
    ended = subprocess.run(
        [sys.executable, "-c", CHOSEN],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XLA_FLAGS": given},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == flags


CACHE = """
import os
from elbow_jax.runtime import startup
startup.use_compilation_cache()
import jax
print(jax.config.jax_compilation_cache_dir)
"""


def test_programs_are_kept_apart_by_the_number_of_cores(tmp_path):
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    ended = subprocess.run(
        [sys.executable, "-c", CACHE], capture_output=True, text=True, check=True, env=environment
    )
    place = tmp_path / "elbow_jax" / f"{available_cores()}_cores"
    assert ended.stdout.strip() == str(place)
