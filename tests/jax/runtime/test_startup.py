import os
import resource
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"])
def test_cache_that_cannot_be_written_is_left_out_with_a_line(tmp_path, variable):
    (tmp_path / "file").touch()
    environment = os.environ | {variable: str(tmp_path / "file" / "cache")}
    if variable == "XDG_CACHE_HOME":
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    process = subprocess.run(
        [sys.executable, "-c", PRINT_CACHE + "print(jax.config.jax_enable_compilation_cache)"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert process.stdout.splitlines()[-1] == "False"
    (line,) = process.stderr.splitlines()
    assert str(tmp_path / "file") in line
    assert "Not a directory, so programs are compiled anew" in line


OPEN_DEVICES = """
from elbow_core import cli
from elbow_jax import runtime
def main(_):
    runtime.set_up_process()
    runtime.join_processes()
    runtime.open_devices()
    return 0
cli.run(main)
"""


@pytest.mark.parametrize("platform", ["cuda", "abacus", "cuda,cpu"])
def test_platform_that_is_not_there_is_one_line(platform):
    if "cuda" in platform and Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    process = subprocess.run(
        [sys.executable, "-c", OPEN_DEVICES],
        capture_output=True,
        text=True,
        env=os.environ | {"JAX_PLATFORMS": platform},
        check=False,
    )
    if platform == "cuda,cpu":  # a choice that includes one that is there
        assert process.returncode == 0, process.stderr
        return
    assert process.returncode == 2, process.stderr
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"error: JAX_PLATFORMS={platform}: ")
    assert "set JAX_PLATFORMS=cpu" in line
