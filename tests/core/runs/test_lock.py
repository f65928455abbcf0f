"""The lock of a run: one process writes into it, and a kill frees it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files import marked_folder, partial_of
from elbow_core.runs import CONFIG, lock_run
from tests.support.paths import ROOT, names_in


@pytest.fixture
def run(tmp_path) -> Path:
    (tmp_path / CONFIG).touch()
    return tmp_path


def test_second_process_is_refused_until_the_first_ends(run):
    with lock_run(run), pytest.raises(UserError, match="another process"), lock_run(run):
        pass
    with lock_run(run):
        pass


def test_what_a_kill_left_of_finished_folders_is_removed(tmp_path):
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    for file in (run / CONFIG, run / "model/weights"):
        file.touch()
    for output in (run, run / "model", run / "unfinished"):
        with marked_folder(partial_of(output), "busy"):
            pass
    with lock_run(run):
        assert names_in(tmp_path) == ["run"]
    assert names_in(run) == [".unfinished.partial", CONFIG, "model"]


HOLD = """
import os, sys, time
from pathlib import Path
from elbow_core.runs import lock_run
with lock_run(Path(sys.argv[1])):
    if not os.fork():  # says so once it has closed its copy of the lock
        print("locked", flush=True)
    time.sleep(60)
"""


def test_kill_frees_the_lock_though_a_forked_process_lives_on(run):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(UserError, match="another process"), lock_run(run):
            pass
        process.kill()
        process.wait()
        os.killpg(process.pid, 0)  # the forked one lives
        with lock_run(run):
            pass
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()
