"""Two processes on one run: the second is refused in one line, and a kill frees the run."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from elbow_core.files import partial_of
from tests.support import llava_rad_release as release
from tests.support.commands import error_of
from tests.support.paths import ROOT, names_in
from tests.support.vlm_runs import copy_run, make_config
from vlm_torch import predict
from vlm_torch.models import find_base

one_architecture = pytest.mark.parametrize("workspace", ["medgemma"], indirect=True)
REFUSAL = "another process writes into this run"


def start(module: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", f"vlm_torch.{module}", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def stopped_when(
    process: "subprocess.Popen[str]", is_reached: Callable[[], bool]
) -> Iterator[None]:
    """Stop a process once a condition holds; continue it afterwards, if it still lives."""
    deadline = time.monotonic() + 120
    while not is_reached():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGSTOP)
    assert process.poll() is None
    try:
        yield
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGCONT)


def lines_in(file: Path) -> int:
    return file.read_text().count("\n") if file.exists() else 0


@one_architecture
def test_second_prediction_is_refused_and_a_killed_one_resumes_byte_identically(
    workspace, tmp_path, capsys
):
    run = copy_run(workspace, tmp_path / "copy")
    for split in ("train", "test"):
        (run / f"predictions_{split}.csv").unlink()
    arguments = ["--run", str(run), "--batch-size", "2"]
    process = start("predict", *arguments, "--split", "train")
    with stopped_when(process, lambda: lines_in(run / ".predictions_train.jsonl") > 4):
        for split in ("train", "test"):
            message = error_of(capsys, predict, *arguments, "--split", split)
            assert message.startswith(f"error: {run}: {REFUSAL}")
        process.kill()
    process.communicate()
    assert ".lock" in names_in(run)  # free, and nothing holds it
    answered = lines_in(run / ".predictions_train.jsonl") - 1
    assert 0 < answered < 24
    assert predict.main([*arguments, "--split", "train"]) == 0
    resumed = (run / "predictions_train.csv").read_bytes()
    assert ".lock" not in names_in(run)
    (run / "predictions_train.csv").unlink()
    assert predict.main([*arguments, "--split", "train"]) == 0
    assert (run / "predictions_train.csv").read_bytes() == resumed


def commands_on(run: Path, config: Path) -> dict[str, list[str]]:
    """The commands that write into a run."""
    return {
        "predict": ["predict", "--run", str(run), "--split", "train", "--batch-size", "1"],
        "merge": ["merge", "--run", str(run)],
        "finetune": ["finetune", "--config", str(config), "--run", str(run), "--resume"],
    }


@pytest.mark.slow
@one_architecture
@pytest.mark.parametrize("second", ["predict", "merge", "finetune"])
@pytest.mark.parametrize("first", ["predict", "merge", "finetune"])
def test_two_commands_on_one_run(workspace, tmp_path, first, second):
    """Real processes: the first keeps the run, the second ends with status 2 and one line."""
    shutil.copytree(workspace, tmp_path / "copy", ignore=shutil.ignore_patterns("data", "lock"))
    run = tmp_path / "copy/run"
    for file in run.glob("predictions_*"):
        file.unlink()
    commands = commands_on(run, workspace / "finetune.yaml")
    if "finetune" in (first, second):  # which would otherwise be finished
        shutil.copytree(run / "adapter", tmp_path / "adapter")
        for step in ("checkpoint-36",):
            shutil.rmtree(run / "checkpoints" / step)
        shutil.rmtree(run / "adapter")
    if first != "finetune" and second == "finetune":
        shutil.copytree(tmp_path / "adapter", run / "adapter")
    process = start(*commands[first])
    with stopped_when(process, lambda: (run / ".lock").exists()):
        if second == "finetune" and (run / "adapter").is_dir():
            shutil.rmtree(run / "adapter")  # an adapter that is there ends it before the lock
            done = start(*commands[second])
            _, written = done.communicate(timeout=300)
            shutil.copytree(tmp_path / "adapter", run / "adapter")
        else:
            done = start(*commands[second])
            _, written = done.communicate(timeout=300)
    assert done.returncode == 2
    lines = [line for line in written.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, written
    assert REFUSAL in lines[0] or "holds no adapter" in lines[0]
    out, written = process.communicate(timeout=300)
    assert process.returncode == 0, out + written
    assert ".lock" not in names_in(run)
    if first == "predict":
        assert (run / "predictions_train.csv").read_text().count("\n") == 25


@pytest.mark.slow
def test_two_assemblies_of_one_checkpoint(tmp_path):
    parts = release.write_release(tmp_path / "parts")
    out = tmp_path / "weights/assembled"
    arguments = ["--parts", str(parts), "--out", str(out)]
    process = start("assemble_llava_rad", *arguments)
    with stopped_when(process, lambda: (tmp_path / "weights/.assembled.lock").exists()):
        second = start("assemble_llava_rad", *arguments)
        _, written = second.communicate(timeout=300)
    assert second.returncode == 2
    assert written.startswith(f"error: {out}: is being written by another process")
    assert len(written.splitlines()) == 1
    written, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert names_in(tmp_path / "weights") == ["assembled"]


def test_what_a_kill_left_beside_a_finished_tiny_base_is_removed(tmp_path):
    section = make_config(tmp_path, "medgemma").model
    base = find_base(section, tmp_path)
    assert names_in(tmp_path) == [base.path.name]
    (tmp_path / f".{base.path.name}.lock").touch()
    partial_of(base.path).mkdir()
    assert find_base(section, tmp_path) == base
    assert names_in(tmp_path) == [base.path.name]
