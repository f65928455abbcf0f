"""A run into which one process writes is refused to any other."""

import shutil
import signal
import subprocess
import sys
import time

import pytest

from elbow_core.runs import lock_run
from elbow_jax import evaluate
from tests.support.commands import refusal_of
from tests.support.paths import ROOT


def test_evaluation_of_a_run_into_which_another_process_writes_is_refused(
    workspace, tmp_path, capsys
):
    run = shutil.copytree(workspace / "run", tmp_path / "run")
    before = sorted(run.rglob("*"))
    with lock_run(run):
        line = refusal_of(capsys, evaluate, "--run", str(run))
    assert "another process writes into this run" in line
    assert sorted(run.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("second", ["evaluate", "train"])
@pytest.mark.parametrize("first", ["evaluate", "train"])
def test_two_commands_on_one_run(workspace, tmp_path, first, second):
    """Real processes: the first keeps the run, the second ends with status 2 and one line."""
    shutil.copytree(workspace / "run", tmp_path / "run")
    directory = str(tmp_path / "run")
    lengthen = ["--config", str(workspace / "train.yaml"), "--run", directory, "--resume"]
    commands = {
        "evaluate": ["elbow_jax.evaluate", "--run", directory, "--split", "train"],
        "train": ["elbow_jax.train", *lengthen, "--epochs", "4"],
    }
    processes = []
    for name in (first, second):
        process = subprocess.Popen(
            [sys.executable, "-m", *commands[name]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        if len(processes) == 1:
            deadline = time.monotonic() + 600
            while not (tmp_path / "run/.lock").exists():
                assert time.monotonic() < deadline
                time.sleep(0.002)
            process.send_signal(signal.SIGSTOP)
    _, written = processes[1].communicate(timeout=300)
    processes[0].send_signal(signal.SIGCONT)
    assert processes[1].returncode == 2, written
    lines = [line for line in written.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "another process writes into this run" in lines[0]
    _, written = processes[0].communicate(timeout=300)
    assert processes[0].returncode == 0, written
    assert not (tmp_path / "run/.lock").exists()
