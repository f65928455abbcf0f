"""The throughput benchmark's processes: what they measure, and what they say where they cannot."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from elbow_jax.models import ModelConfig
from elbow_jax.steps import make_eval_step, weighted_loss
from tests.support.paths import ROOT


def test_both_sides_do_the_same_work(parts):
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    from tests.support.random_networks import ported, random_twin, relative_error
    from tests.support.tolerances import NETWORK

    config = ModelConfig(backbone="mobilenetv3_large", variant="small")
    twin = random_twin(config)
    module, variables = ported(config, twin)
    case = parts.cases.Case("train", "mobilenetv3_large", "train", 64, 4, variant="small")
    batch = parts.work.random_batch(case)
    ours = jax.jit(make_eval_step(module.apply, np.float32))(variables, batch)
    theirs = parts.torch_work.Normalised(twin)
    image = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2)
    label, weight = torch.from_numpy(batch["label"]).float(), torch.from_numpy(batch["weight"])
    with torch.no_grad():
        assert relative_error(ours, theirs(image)) < NETWORK
        loss = parts.torch_work.Loss(theirs)(image, label, weight)
    assert relative_error(weighted_loss(ours, jax.device_put(batch)), loss) < NETWORK


def benchmark(out, *arguments, path=""):
    environment = os.environ | {"PYTHONPATH": path}
    command = [
        sys.executable,
        "-m",
        "benchmarks.throughput",
        "--out",
        out,
        "--quick",
        "--seconds",
        "0.01",
        *arguments,
    ]
    return subprocess.run(
        [*map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_without_torch_the_rows_of_jax_stand_alone_and_a_second_run_adds_nothing(tmp_path):
    folder, out = tmp_path / "hidden", tmp_path / "out"
    folder.mkdir()
    missing = "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n"
    (folder / "torch.py").write_text(missing)
    done = benchmark(out, "--part", "ceilings", path=str(folder))
    assert done.returncode == 0, done.stderr
    (record,) = out.glob("*_quick.json")
    rows = json.loads(record.read_text())["rows"]
    notes = {(each["framework"], each.get("note")) for each in rows}
    assert notes == {("jax", None), ("torch", "torch is not installed")}
    assert all(second > 0 for each in rows for second in each.get("seconds", []))
    assert record.with_suffix(".md").exists()
    before = record.read_bytes()
    assert "[1/" not in benchmark(out, "--part", "ceilings", path=str(folder)).stdout
    assert record.read_bytes() == before


@pytest.mark.parametrize("framework", ["jax", "torch"])
def test_a_batch_beyond_the_memory_is_a_row_that_says_so(parts, tmp_path, framework):
    layer = "mobilenetv3_large stage2"
    case = parts.cases.Case("depthwise", layer, "forward", 384, 10**9)
    mode = "jit" if framework == "jax" else "eager"
    job = parts.cases.Job(case, framework, mode, 0)
    assert parts.processes.measure(job, "cpu", 0.01, tmp_path) == {"note": "out of memory"}


def test_contenders_live_side_by_side_and_step_in_turns(tmp_path):
    chosen = ["--part", "inference", "turns", "--network", "mobilenetv3_large", "--mode", "jit"]
    done = benchmark(tmp_path, *chosen, "eager")
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*_quick.json")
    rows = json.loads(path.read_text())["rows"]
    duel = {each["framework"]: each for each in rows if each["part"] == "turns"}
    assert {name: each["ran"] for name, each in duel.items()} == {"jax": "jit", "torch": "eager"}
    for each in rows:  # of training nothing was measured, and so there are no turns
        assert each["work"] == "inference"
        assert min(each["seconds"]) > 0
    assert {len(each["seconds"]) for each in duel.values()} == {8}
    assert "(eager)" in path.with_suffix(".md").read_text()


def test_who_has_no_opponent_says_so(parts, tmp_path):
    case = parts.cases.Case("turns", "mobilenetv3_large", "inference", 64, 4, variant="small")
    ours = parts.cases.Job(case, "jax", "jit", 0)
    too_large = parts.cases.Case("depthwise", "mobilenetv3_large stage2", "forward", 384, 10**9)
    nobody = parts.cases.Job(too_large, "jax", "jit", 0)
    in_turns = parts.processes.measure_in_turns
    none_came, memory = {"note": "no turn came"}, {"note": "out of memory"}
    assert in_turns([ours, nobody], "cpu", 0.01, tmp_path) == [none_came, memory]
    assert in_turns([nobody, ours], "cpu", 0.01, tmp_path) == [memory, {"note": "not run"}]


def test_without_the_data_packages_only_the_end_to_end_part_is_left_out(
    parts, tmp_path, monkeypatch
):
    folder = tmp_path / "hidden"
    folder.mkdir()

    def hide(package):
        missing = f"raise ModuleNotFoundError('no {package}', name='{package}')\n"
        (folder / f"{package}.py").write_text(missing)

    hide("grain")
    hide("array_record")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    config = {"name": "mobilenetv3_large", "work": "train", "size": 64, "batch": 2}
    case = parts.cases.Case(part="end_to_end", variant="small", **config)
    job = parts.cases.Job(case, "jax", "jit", 0)
    named = parts.processes.measure(job, "cpu", 0.01, tmp_path)  # the first that is imported
    assert named in [
        {"note": f"{package} is not installed"} for package in ("array-record", "grain")
    ]
    hide("cv2")
    hide("pydicom")
    case = parts.cases.Case(part="inference", variant="small", **config | {"work": "inference"})
    figures = parts.processes.measure(parts.cases.Job(case, "jax", "jit", 0), "cpu", 0.01, tmp_path)
    assert min(figures["seconds"]) > 0
    assert figures["multiply_adds"] > 0


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["--batch", "0"], ["--part", "scales"]])
def test_a_wrong_argument_ends_with_status_2(tmp_path, arguments):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.throughput", "--out", tmp_path / "out", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert arguments[0] in done.stderr
    assert not (tmp_path / "out").exists()
