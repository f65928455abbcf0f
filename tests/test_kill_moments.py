"""Commands of elbow_core killed at every call that changes the disk: old or new, never less."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.report_inputs import write_inputs
from tests.support.tiny_images import write

SCORES = "file,truth,probability\n" + "".join(f"i{k},{k % 2},0.{k + 1}\n" for k in range(8))
DATA = {
    "source": {"kind": "folder", "classes": {"normal": 0, "injury": 1}},
    "root": "root",
    "out": "out",
    "preprocess": {"size": 32, "sigma": 2.0},
    "split": {"method": "fractions", "train": 0.5, "validation": 0.25, "test": 0.25},
    "workers": 0,
}
REPORT = ["a.csv", "--out", "report", "--draws", "100"]


def kill_at_every_moment(
    folder: Path, module: str, arguments: list[str], outputs: list[str], *preload: str
) -> int:
    specification: dict[str, Any] = {
        "module": module,
        "arguments": arguments,
        "outputs": outputs,
        "preload": preload,
        "folder": str(folder),
        "work": str(folder.with_name("work")),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.kill_moments", json.dumps(specification)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "before"
    path.mkdir()
    return path


@pytest.mark.slow
@pytest.mark.parametrize("has_output", [False, True])
def test_import_of_scores(folder, has_output):
    (folder / "scores.csv").write_text(SCORES)
    columns = ["--image-id", "file", "--label", "truth", "--score", "probability"]
    arguments = ["scores.csv", *columns, "--model", "m", "--out", "out.csv"]
    if has_output:
        (folder / "out.csv").write_text(
            "image_id,patient_id,study_id,label,score,prediction,model\na,,,1,0.5,1,old\n"
        )
    module = "elbow_core.evaluation.import_scores"
    assert kill_at_every_moment(folder, module, arguments, ["out.csv"]) > 10


@pytest.mark.slow
@pytest.mark.parametrize("has_output", [False, True])
def test_report(folder, has_output):
    write_inputs(folder)
    module = "elbow_core.evaluation.report.__main__"
    if has_output:
        old = ["-m", "elbow_core.evaluation.report", *REPORT, "--title", "old"]
        subprocess.run([sys.executable, *old], cwd=folder, check=True, env=environment())
    preload = ["elbow_core.evaluation.report.write", "matplotlib.backends.backend_agg"]
    assert kill_at_every_moment(folder, module, REPORT, ["report"], *preload) > 30


@pytest.mark.slow
def test_prepare(folder):
    rng = np.random.default_rng(0)
    for number in range(12):
        label = ("normal", "injury")[number % 2]
        write(folder / "root" / label / f"p{number}.png", rng.integers(0, 256, (40, 40), np.uint8))
    (folder / "data.yaml").write_text(yaml.safe_dump(DATA))
    arguments = ["--config", "data.yaml"]
    module = "elbow_core.prepare.__main__"
    assert kill_at_every_moment(folder, module, arguments, ["out"], "elbow_core.prepare") > 50


def environment() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(ROOT)}
