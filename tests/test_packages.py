"""Names that other projects import, and what a command imports before it needs it."""

import importlib
import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

STABLE_NAMES = {
    "elbow_core.radiographs": ("read_radiograph", "decode_radiograph", "preprocess"),
    "elbow_core.errors": ("UserError", "RadiographError"),
    "elbow_core.evaluation": (
        "binary_metrics",
        "read_predictions",
        "write_report",
        "feasible_confusions",
    ),
    "elbow_jax": ("create", "Network"),
    "elbow_jax.models": ("ModelConfig", "build_model"),
    "elbow_jax.porting": ("port_backbone", "to_torch"),
    "elbow_jax.scoring": ("read_released", "Predictor"),
}
COMMANDS = (
    "elbow_core.config",
    "elbow_core.prepare",
    "elbow_core.runs",
    "elbow_core.evaluation.report",
    "elbow_core.evaluation.abstain",
    "elbow_core.evaluation.audit",
    "elbow_core.evaluation.folds",
    "elbow_core.evaluation.import_scores",
    "elbow_core.evaluation.readers",
    "elbow_core.evaluation.readers.simulate",
    "elbow_core.evaluation.labels",
    "elbow_core.evaluation.localisation",
    "elbow_jax.train",
    "elbow_jax.crossval",
    "elbow_jax.evaluate",
    "elbow_jax.explain",
    "elbow_jax.freeze",
    "elbow_jax.predict",
    "elbow_jax.export",
    "elbow_jax.publish",
    "elbow_jax.porting",
    "reading_room",
    "vlm_torch.finetune",
    "vlm_torch.predict",
    "vlm_torch.merge",
    "vlm_torch.assemble_llava_rad",
    "reading_room.dicom",
    "reading_room.watch",
    "benchmarks.throughput",
    "benchmarks.data",
    "benchmarks.compile",
    "benchmarks.learning",
    "benchmarks.explanation",
    "benchmarks.gate",
    "benchmarks.labels",
    "benchmarks.scoring",
)
SLOW_TO_IMPORT = {
    "jax",
    "flax",
    "matplotlib",
    "sklearn",
    "starlette",
    "torch",
    "transformers",
    "uvicorn",
}

HELP = """
import json, runpy, sys
sys.argv = [{command!r}, "--help"]
try:
    runpy.run_module({command!r}, run_name="__main__", alter_sys=True)
except SystemExit as ended:
    status = ended.code or 0
print(json.dumps([status, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in STABLE_NAMES for name in STABLE_NAMES[package]],
)
def test_stable_name_imports(package, name):
    assert callable(getattr(importlib.import_module(package), name))


def test_every_command_of_the_packages_is_listed():
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
        for package in ("elbow_core", "elbow_jax", "reading_room", "vlm_torch")
        for path in (ROOT / package).rglob("*.py")
        if '\nif __name__ == "__main__":\n' in path.read_text(encoding="utf-8")
    }
    assert modules <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_slow(command):
    done = subprocess.run(
        [sys.executable, "-c", HELP.format(command=command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    *text, last = done.stdout.splitlines()
    status, imported = json.loads(last)
    assert status == 0
    assert len(text) > 3
    assert not SLOW_TO_IMPORT & set(imported)
