import os
import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files.atomic import atomic_file, atomic_folder
from tests.support.lock_holders import hold, kill
from tests.support.paths import ROOT, names_in

ERRORS = [ValueError, KeyboardInterrupt]


def accept(folder: Path) -> None:
    """Let any folder be replaced."""


def test_file_appears_when_the_block_has_succeeded(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert partial.parent.parent == path.parent
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", ERRORS)
def test_failed_block_leaves_the_file_unchanged_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with atomic_file(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_appears_complete_when_the_block_has_succeeded(tmp_path):
    path = tmp_path / "deep" / "folder"
    with atomic_folder(path) as partial:
        (partial / "a.txt").write_text("new")
        assert not path.exists()
        assert partial.parent.parent == path.parent
    assert (path / "a.txt").read_text() == "new"
    assert names_in(path.parent) == ["folder"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("may_replace", [None, accept])
def test_failed_block_leaves_no_folder(tmp_path, error, may_replace):
    def write_half() -> None:
        with atomic_folder(tmp_path / "folder", may_replace=may_replace) as partial:
            (partial / "a.txt").write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert names_in(tmp_path) == []


def test_folder_with_content_is_not_overwritten_without_replace(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(OSError, match="not empty"), atomic_folder(path) as partial:
        (partial / "new.txt").write_text("new")
    assert names_in(path) == ["old.txt"]
    assert names_in(tmp_path) == ["folder"]


def test_folder_that_cannot_be_created_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"folder: cannot be created: "),
        atomic_folder(tmp_path / "file" / "folder"),
    ):
        pass


def test_second_writer_is_refused_and_the_leftover_of_a_killed_one_is_removed(tmp_path):
    path = tmp_path / "folder"
    process = hold("atomic_folder(Path(sys.argv[1]))", path)
    try:
        with (
            pytest.raises(UserError, match="folder: is being written by another process"),
            atomic_folder(path),
        ):
            pass
        assert (tmp_path / ".folder.partial/new/half.txt").exists()
    finally:
        kill(process)
    assert names_in(tmp_path) == [".folder.partial"]
    with atomic_folder(path) as partial:
        assert names_in(partial) == []
        (partial / "a.txt").write_text("new")
    assert names_in(path) == ["a.txt"]
    assert names_in(tmp_path) == ["folder"]


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_output_that_becomes_something_else_meanwhile_is_not_replaced(tmp_path, kind):
    path, mine = tmp_path / "a.txt", tmp_path / "mine"
    mine.write_text("mine")

    def write() -> None:
        with atomic_file(path) as partial:
            partial.write_text("new")
            {"link": lambda: path.symlink_to(mine), "pipe": lambda: os.mkfifo(path)}.get(
                kind, path.mkdir
            )()

    with pytest.raises(UserError, match=r"a\.txt: (has become a link or a device|is a folder)"):
        write()
    assert mine.read_text() == "mine"
    assert path.is_symlink() or path.is_fifo() or path.is_dir()
    assert names_in(tmp_path) == ["a.txt", "mine"]


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
