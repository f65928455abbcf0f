"""Partial folders: marked as ours, locked, and never another's."""

import os
import shutil
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files.atomic import atomic_folder
from elbow_core.files.partial_folders import (
    MARK,
    marked_folder,
    partial_of,
    remove_content,
    remove_finished,
    sweep,
    temporary_folder,
)
from tests.support.paths import names_in


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
        (tmp_path / ".elbow-link0000.partial").symlink_to(used)
        sweep(tmp_path)
        assert names_in(tmp_path) == sorted([used.name, ".elbow-link0000.partial"])
        assert names_in(used) == [MARK]


def test_content_is_removed_without_following_links(tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for path in (folder / "deep/a.txt", folder / "b.txt", outside / "kept.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (folder / "link").symlink_to(outside)
    remove_content(folder)
    assert names_in(folder) == []
    assert names_in(outside) == ["kept.txt"]


def leave_partial(output: Path) -> None:
    """Leave the partial folder of an output, as a kill does."""
    with marked_folder(partial_of(output), "busy"):
        (partial_of(output) / "new").mkdir()


def test_partial_folder_of_a_complete_output_is_removed(tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    leave_partial(output)
    remove_finished(output)
    assert names_in(tmp_path) == [".out.partial", "out"]  # an empty folder is no output
    (output / "result").touch()
    remove_finished(output)
    assert names_in(tmp_path) == ["out"]
    partial_of(output).mkdir()  # a kill came before the last call of all
    remove_finished(output)
    assert names_in(tmp_path) == ["out"]


def test_partial_folder_without_an_output_or_that_is_locked_stays(tmp_path):
    output = tmp_path / "out"
    leave_partial(output)
    remove_finished(output)
    assert names_in(tmp_path) == [".out.partial"]
    output.mkdir()
    (output / "result").touch()
    with marked_folder(partial_of(output), "busy"):
        remove_finished(output)
        assert names_in(tmp_path) == [".out.partial", "out"]


@pytest.mark.parametrize(
    "make", [foreign_folder, foreign_mark, linked_mark, link, plain_file, pipe]
)
def test_foreign_entry_beside_a_complete_output_is_not_touched(tmp_path, make):
    make(tmp_path / ".out.partial")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/result").touch()
    before = contents(tmp_path)
    remove_finished(tmp_path / "out")
    assert contents(tmp_path) == before


def test_temporary_folder_whose_names_cannot_be_read_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "rmtree", lambda path, ignore_errors: None)
    with temporary_folder(tmp_path) as folder:
        assert names_in(tmp_path) == [folder.name]
    assert names_in(tmp_path) == []


def test_temporary_folder_that_cannot_be_opened_is_removed(tmp_path, monkeypatch):
    def refuse(path, *arguments):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("elbow_core.files.partial_folders.os.open", refuse)
    with pytest.raises(PermissionError), temporary_folder(tmp_path):
        raise AssertionError("the folder cannot be locked")
    assert names_in(tmp_path) == []


def test_partial_folder_of_an_output_with_the_prefix_of_temporary_ones_is_not_swept(tmp_path):
    partial = partial_of(tmp_path / "elbow-scores.csv")
    with marked_folder(partial, ""):
        (partial / "work").touch()
    sweep(tmp_path)
    assert names_in(partial) == sorted([MARK, "work"])
