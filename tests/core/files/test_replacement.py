"""Folders that are replaced at once: at every moment the former or the new one."""

import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files import atomic
from elbow_core.files.atomic import atomic_folder
from elbow_core.files.renaming import exchange
from tests.support.paths import ROOT, names_in


def accept(folder: Path) -> None:
    """Let any folder be replaced."""


def test_replace_keeps_the_former_folder_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with atomic_folder(path, may_replace=accept) as partial:
        (partial / "new.txt").write_text("new")
        assert names_in(path) == ["old.txt"]
    assert names_in(path) == ["new.txt"]
    assert names_in(tmp_path) == ["folder"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failed_replacement_leaves_the_former_folder(tmp_path, error):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")

    def write_half() -> None:
        with atomic_folder(path, may_replace=accept) as partial:
            (partial / "new.txt").write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert names_in(path) == ["old.txt"]
    assert names_in(tmp_path) == ["folder"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_folder_is_replaced_with_and_without_exchange(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(atomic, "exchange", lambda *_: False)
    for content in ("first", "second"):
        with atomic_folder(tmp_path / "out", may_replace=accept) as folder:
            (folder / content).touch()
        assert names_in(tmp_path / "out") == [content]
        assert names_in(tmp_path) == ["out"]


def test_names_are_exchanged_at_once(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"in_{name}").touch()
    if not exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot exchange names")
    assert names_in(tmp_path / "a") == ["in_b"]
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "a", tmp_path / "no")


def test_file_put_into_the_former_folder_at_the_last_moment_is_kept(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    calls = []

    def refuse_thesis(folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 2:
            (folder / "thesis.tex").write_text("mine")
        if (folder / "thesis.tex").exists():
            raise UserError("holds thesis.tex")

    with (
        pytest.raises(UserError, match="thesis"),
        atomic_folder(out, may_replace=refuse_thesis) as folder,
    ):
        (folder / "report").touch()
    assert names_in(out) == ["thesis.tex"]
    assert names_in(tmp_path) == ["out"]


# Kills itself at the call of a system function with a given number, counted from 1.
REPLACE = """
import os, signal, sys
from pathlib import Path
from elbow_core.files import atomic
from elbow_core.files.atomic import atomic_folder
out, moment, can_exchange = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
calls = 0
def audit(event, _):
    global calls
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "open"):
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
if not can_exchange:
    atomic.exchange = lambda *_: False
sys.addaudithook(audit)
with atomic_folder(out, may_replace=lambda _: None) as folder:
    (folder / "a").write_text("new")
    (folder / "b").write_text("new")
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("can_exchange", [True, False])
def test_kill_at_any_call_leaves_the_old_or_the_new_folder(tmp_path, can_exchange):
    out = tmp_path / "out"
    for moment in range(1, 100):
        out.mkdir(exist_ok=True)
        for name in ("a", "b"):
            (out / name).write_text("old")
        done = subprocess.run(
            [sys.executable, "-c", REPLACE, str(out), str(moment), str(can_exchange)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if not out.exists():
            assert not can_exchange
            with pytest.raises(KeyError), atomic_folder(out):  # as the next run, which restores
                raise KeyError
        texts = {path.name: path.read_text() for path in out.iterdir()}
        assert texts in ({"a": "old", "b": "old"}, {"a": "new", "b": "new"})
        if done.returncode == 0:
            break
    else:
        pytest.fail("the process never ended")
    assert moment > 10
    with atomic_folder(out, may_replace=accept):
        pass
    assert names_in(tmp_path) == ["out"]
