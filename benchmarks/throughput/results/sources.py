"""A digest of the code that a measurement depends on, so that changed code is measured again."""

import ast
import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[3]

SOURCES = {
    "jax": (
        "benchmarks/throughput/measuring/jax_work.py",
        "benchmarks/throughput/measuring/work.py",
        "elbow_jax/models/**/*.py",
        "elbow_jax/ops/**/*.py",
        "elbow_jax/runtime/**/*.py",
        "elbow_jax/networks.py",
        "elbow_jax/optimizer.py",
        "elbow_jax/steps.py",
    ),
    "torch": (
        "benchmarks/throughput/measuring/torch_work.py",
        "benchmarks/throughput/measuring/work.py",
        "elbow_jax/models/build.py",
        "elbow_jax/models/config.py",
        "elbow_jax/porting/twin/*.py",
    ),
}
"""Files whose code changes a framework's metrics, as patterns below the repository's root."""

NOT_COVERED = {
    "jax": {
        "benchmarks.throughput.cases": "each row stores its own case",
        "elbow_jax.auxiliary": "losses of further targets, which no case has",
    },
    "torch": {
        "benchmarks.throughput.cases": "each row stores its own case",
        "elbow_jax.auxiliary": "losses in JAX, imported by elbow_jax.steps",
        "elbow_jax.models": "Flax modules; the parity tests hold the twin's layers equal to them",
        "elbow_jax.ops": "JAX operations, of which torch runs none",
        "elbow_jax.optimizer": "JAX's optimiser, imported by elbow_jax.steps",
        "elbow_jax.porting": "conversion of weights, beside the twin and its operators",
        "elbow_jax.steps": "two constants of the input's normalisation, which cost nothing",
    },
}
"""Modules, with their submodules, that a framework's work imports but does not time, and why."""


def covered_files(framework: str) -> list[Path]:
    """The files of a framework's digest, sorted."""
    return sorted({path for pattern in SOURCES[framework] for path in ROOT.glob(pattern)})


def source_digest(framework: str) -> str:
    """Digest the code that a framework's metrics depend on, without comments and docstrings."""
    digest = hashlib.sha256()
    for path in covered_files(framework):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(code_of(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:12]


def code_of(text: str) -> str:
    """A module's syntax tree as text, without comments, docstrings and line numbers."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [
                statement
                for statement in node.body
                if not (
                    isinstance(statement, ast.Expr)
                    and isinstance(statement.value, ast.Constant)
                    and isinstance(statement.value.value, str)
                )
            ]
    return ast.dump(tree)
