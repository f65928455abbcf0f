"""The example of a training loop outside the project: length, imports, and that it learns."""

import ast
import os
import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

EXAMPLE = ROOT / "examples" / "training_loop.py"
ALLOWED = {
    "jax",
    "jax.numpy",
    "numpy",
    *(f"elbow_jax.{name}" for name in ("models", "optimizer", "steps")),
}


def test_example_has_at_most_forty_lines_and_imports_three_parts_alone():
    text = EXAMPLE.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names
    }
    assert len(text.splitlines()) <= 40
    assert imported <= ALLOWED


@pytest.mark.slow
def test_example_learns():
    done = subprocess.run(
        [sys.executable, "-m", "examples.training_loop"],
        cwd=ROOT,
        # Compiling takes longer than training here, and is faster for slower code.
        env=os.environ | {"XLA_FLAGS": "--xla_backend_optimization_level=0"},
        capture_output=True,
        text=True,
        check=True,
    )
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", done.stdout)]
    assert len(losses) == 30
    assert losses[-1] < losses[0] / 2
    accuracy = re.search(r"accuracy ([\d.]+)", done.stdout)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9
