"""Partial folders: marked as ours, locked, and never another's; replacement at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files import atomic as files
from elbow_core.files.atomic import atomic_file, atomic_folder
from elbow_core.files.partial_folders import MARK, sweep, temporary_folder
from elbow_core.files.renaming import exchange
from tests.support.paths import ROOT, names_in


def accept(folder: Path) -> None:
    """Let any folder be replaced."""


def foreign_folder(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("mine")


def foreign_mark(path: Path) -> None:
    path.mkdir()
    (path / MARK).write_text("mine")


def linked_mark(path: Path) -> None:
    foreign_folder(path.with_name("elsewhere"))
    path.mkdir()
    (path / MARK).symlink_to("../elsewhere/thesis.tex")


def link(path: Path) -> None:
    foreign_folder(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def plain_file(path: Path) -> None:
    path.write_text("mine")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def contents(folder: Path) -> dict[str, bytes | str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else "other"
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize(
    "make", [foreign_folder, foreign_mark, linked_mark, link, plain_file, pipe]
)
def test_foreign_entry_of_the_partial_name_is_refused_and_not_touched(tmp_path, make):
    make(tmp_path / ".out.partial")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=r"\.out\.partial"), atomic_folder(tmp_path / "out"):
        pass
    assert contents(tmp_path) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_marked_folder_of_another_user_is_refused(tmp_path):
    partial = tmp_path / ".out.partial"
    with temporary_folder(tmp_path) as ours:
        mark = (ours / MARK).read_bytes()
    partial.mkdir()
    (partial / MARK).write_bytes(mark)
    os.chown(partial, 65534, 65534)
    with (
        pytest.raises(UserError, match=r"\.out\.partial: belongs to another user"),
        atomic_folder(tmp_path / "out"),
    ):
        pass


def test_empty_mark_of_a_process_killed_at_once_is_taken_over(tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / MARK).touch()
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "a").touch()
    assert names_in(tmp_path) == ["out"]


def test_folder_in_use_or_of_others_is_not_swept(tmp_path):
    with temporary_folder(tmp_path) as used:
        (tmp_path / ".elbow-link.partial").symlink_to(used)
        sweep(tmp_path)
        assert names_in(tmp_path) == sorted([used.name, ".elbow-link.partial"])
        assert names_in(used) == [MARK]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_folder_is_replaced_with_and_without_exchange(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(files, "exchange", lambda *_: False)
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
from elbow_core.files import atomic as files
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
    files.exchange = lambda *_: False
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


WRITE = """
import sys
from pathlib import Path
from elbow_core.files.atomic import atomic_file
for number in range(40):
    with atomic_file(Path(sys.argv[1])) as partial:
        with partial.open("w") as file:
            for _ in range(200):
                file.write(sys.argv[2] * 100)
"""


def test_two_processes_that_write_one_file_leave_the_text_of_one(tmp_path):
    path = tmp_path / "x"
    processes = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(path), letter], cwd=ROOT)
        for letter in "ab"
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert path.read_text() in ("a" * 20_000, "b" * 20_000)
    assert names_in(tmp_path) == ["x"]


def test_file_is_created_with_the_mode_of_the_umask_and_its_folder_is_private(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "x") as partial:
            assert partial.parent.stat().st_mode & 0o777 == 0o700
            partial.write_text("")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
