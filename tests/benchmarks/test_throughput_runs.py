"""The throughput benchmark's processes: their metrics, and their notes where they cannot run."""

import json
import sys
import time

import jax
import numpy as np
import pytest

from benchmarks.throughput.__main__ import main
from benchmarks.throughput.cases import Case, Job
from benchmarks.throughput.measuring.processes import (
    DISTURBED,
    measure,
    measure_interleaved,
    measure_side_by_side,
)
from benchmarks.throughput.measuring.work import random_batch
from elbow_core.cli import run
from elbow_core.errors import UserError
from elbow_jax.models import ModelConfig
from elbow_jax.steps import make_eval_step, weighted_loss

TOO_LARGE = Case("depthwise", "mobilenetv3_large stage2", "forward", 384, 10**9)


def test_both_sides_do_the_same_work():
    torch = pytest.importorskip("torch")
    pytest.importorskip("timm")
    from benchmarks.throughput.measuring import torch_work
    from tests.support.random_networks import ported, random_twin, relative_error
    from tests.support.tolerances import NETWORK

    config = ModelConfig(backbone="mobilenetv3_large", variant="small")
    twin = random_twin(config)
    module, variables = ported(config, twin)
    batch = random_batch(Case("train", "mobilenetv3_large", "train", 64, 4, variant="small"))
    logits = jax.jit(make_eval_step(module.apply, np.float32))(variables, batch)
    torch_network = torch_work.Normalised(twin)
    image = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2)
    label, weight = torch.from_numpy(batch["label"]).float(), torch.from_numpy(batch["weight"])
    with torch.no_grad():
        assert relative_error(logits, torch_network(image)) < NETWORK
        loss = torch_work.Loss(torch_network)(image, label, weight)
    assert relative_error(weighted_loss(logits, jax.device_put(batch)), loss) < NETWORK


def benchmark(out, *arguments):
    assert main(["--out", str(out), "--quick", "--seconds", "0.01", *arguments]) == 0


def hide(folder, *packages):
    """Write modules that cannot be imported, for the PYTHONPATH of a process."""
    folder.mkdir(exist_ok=True)
    for package in packages:
        missing = f"raise ModuleNotFoundError('no {package}', name='{package}')\n"
        (folder / f"{package}.py").write_text(missing)


def test_without_torch_the_rows_of_jax_stand_alone_and_a_second_run_adds_nothing(
    tmp_path, monkeypatch, capsys
):
    out = tmp_path / "out"
    hide(tmp_path / "hidden", "torch")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    benchmark(out, "--part", "ceilings")
    assert "[1/" in capsys.readouterr().out
    (record,) = out.glob("*_quick.json")
    rows = json.loads(record.read_text())["rows"]
    notes = {(each["framework"], each.get("note")) for each in rows}
    assert notes == {("jax", None), ("torch", "torch is not installed")}
    assert all(second > 0 for each in rows for second in each.get("seconds", []))
    assert record.with_suffix(".md").exists()
    before = record.read_bytes()
    benchmark(out, "--part", "ceilings")
    assert "[1/" not in capsys.readouterr().out
    assert record.read_bytes() == before


@pytest.mark.parametrize("framework", ["jax", "torch"])
def test_a_batch_beyond_the_memory_is_a_row_with_a_note(tmp_path, framework):
    if framework == "torch":
        pytest.importorskip("torch")
    job = Job(TOO_LARGE, framework, "jit" if framework == "jax" else "eager", 0)
    assert measure(job, "cpu", 0.01, tmp_path) == {"note": "out of memory"}


def test_interleaved_processes_step_in_turns(tmp_path):
    pytest.importorskip("torch")
    chosen = ["--part", "inference", "turns", "--network", "mobilenetv3_large", "--mode", "jit"]
    benchmark(tmp_path, *chosen, "eager")
    (path,) = tmp_path.glob("*_quick.json")
    rows = json.loads(path.read_text())["rows"]
    turns = {each["framework"]: each for each in rows if each["part"] == "turns"}
    assert {name: each["ran"] for name, each in turns.items()} == {"jax": "jit", "torch": "eager"}
    for each in rows:  # training was not measured, and so has no turns
        assert each["work"] == "inference"
        assert min(each["seconds"]) > 0
    assert {len(each["seconds"]) for each in turns.values()} == {8}
    assert "(eager)" in path.with_suffix(".md").read_text()


def test_processes_side_by_side_are_timed_one_at_a_time(tmp_path):
    fields = {"part": "inference", "work": "inference", "size": 64, "variant": "small"}
    cases = [Case(name="mobilenetv3_large", batch=batch, **fields) for batch in (1, 2)]
    jobs = [Job(case, "jax", "jit", 0) for case in [*cases, TOO_LARGE]]
    started = time.monotonic()
    measured = dict(measure_side_by_side(jobs, "cpu", 1.0, tmp_path, parallel=3))
    assert time.monotonic() - started > 2.0  # two processes of a second each
    assert measured.pop(jobs[2]) == {"note": "out of memory"}
    assert set(measured) == set(jobs[:2])
    for metrics in measured.values():
        assert sum(metrics["seconds"]) > 0
        assert metrics["multiply_adds"] > 0
        assert not metrics.keys() & set(DISTURBED)


def test_only_parts_that_time_steps_run_side_by_side(tmp_path):
    with pytest.raises(UserError, match="--side-by-side: only for --part ceilings"):
        benchmark(tmp_path, "--part", "cold_start", "--side-by-side", "2")


def test_a_process_whose_opponent_fails_returns_a_note(tmp_path):
    case = Case("turns", "mobilenetv3_large", "inference", 64, 4, variant="small")
    runs, fails = Job(case, "jax", "jit", 0), Job(TOO_LARGE, "jax", "jit", 0)
    no_turn, memory = {"note": "no turn came"}, {"note": "out of memory"}
    assert measure_interleaved([runs, fails], "cpu", 0.01, tmp_path) == [no_turn, memory]
    assert measure_interleaved([fails, runs], "cpu", 0.01, tmp_path) == [
        memory,
        {"note": "not run"},
    ]


def test_without_the_data_packages_only_the_end_to_end_part_is_missing(tmp_path, monkeypatch):
    hide(tmp_path / "hidden", "grain", "array_record")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hidden"))
    fields = {"name": "mobilenetv3_large", "size": 64, "batch": 2, "variant": "small"}
    job = Job(Case(part="end_to_end", work="train", **fields), "jax", "jit", 0)
    named = measure(job, "cpu", 0.01, tmp_path)  # the first that is imported
    assert named in [
        {"note": f"{package} is not installed"} for package in ("array-record", "grain")
    ]
    hide(tmp_path / "hidden", "cv2", "pydicom")
    job = Job(Case(part="inference", work="inference", **fields), "jax", "jit", 0)
    metrics = measure(job, "cpu", 0.01, tmp_path)
    assert min(metrics["seconds"]) > 0
    assert metrics["multiply_adds"] > 0


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["--batch", "0"], ["--part", "scales"]])
def test_a_wrong_argument_ends_with_status_2(tmp_path, monkeypatch, capsys, arguments):
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["benchmarks.throughput", "--out", str(out), *arguments])
    with pytest.raises(SystemExit) as ended:
        run(main)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err
    assert not out.exists()
