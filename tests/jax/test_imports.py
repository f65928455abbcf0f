"""Errors of use and of the configuration come before the seconds in which JAX is imported."""

import subprocess
import sys

RUN_MODULE = """
import runpy, sys
module, *arguments = sys.argv[1:]
sys.argv = [module, *arguments]
try:
    runpy.run_module(module, run_name="__main__")
except SystemExit as exit:
    print("status", exit.code)
frameworks = ("jax", "flax", "optax", "orbax", "grain", "torch", "matplotlib", "sklearn")
print("imported", *(name for name in frameworks if name in sys.modules))
"""


def run_module(*arguments: str) -> list[str]:
    """Run a module in a new interpreter; return its exit status and the frameworks it imported."""
    process = subprocess.run(
        [sys.executable, "-c", RUN_MODULE, *arguments], capture_output=True, text=True, check=True
    )
    return process.stdout.splitlines()


def test_broken_configuration_is_refused_before_a_framework_is_imported(tmp_path):
    config = tmp_path / "train.yaml"
    config.write_text("run: runs/x\nepohcs: 3\n")
    assert run_module("elbow_jax.train", "--config", str(config)) == ["status 2", "imported"]


def test_missing_image_is_refused_before_a_framework_is_imported(tmp_path):
    arguments = ["--model", str(tmp_path), str(tmp_path / "absent.png")]
    assert run_module("elbow_jax.predict", *arguments) == ["status 2", "imported"]


def test_configuration_schema_imports_no_framework():
    assert run_module("elbow_jax.config") == ["imported"]
