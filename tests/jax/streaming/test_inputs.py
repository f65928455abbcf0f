"""Which files are scored: named ones, those of folders, and those of lists."""

import os
from pathlib import Path

import pytest

from elbow_core.errors import ConfigError
from elbow_jax.streaming import find_images
from tests.support.dicom_files import dicom


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "more").mkdir()
    for name in ("a.png", "b.png", "@c.png", "more/d.png"):
        (tmp_path / name).write_bytes(b"\x89PNG")
    (tmp_path / "more/IM0001").write_bytes(dicom())
    return tmp_path


def test_files_folders_and_lists_are_found_in_the_order_of_the_arguments(folder):
    (folder / "files.txt").write_text("b.png\n\nmore\na.png")
    found = find_images(["more", "@files.txt", "./@c.png", "b.png"])
    assert found.paths == [
        *("more/IM0001", "more/d.png"),
        *("b.png", "more/IM0001", "more/d.png", "a.png"),
        *("@c.png", "b.png"),
    ]


def test_list_from_windows_and_names_that_are_not_utf8_are_read(folder):
    name = b"M\xfcller.png"
    Path(os.fsdecode(name)).write_bytes(b"\x89PNG")
    Path("files.txt").write_bytes(b"\xef\xbb\xbfa.png\r\n" + name + b"\r\n")
    assert [os.fsencode(path) for path in find_images(["@files.txt"]).paths] == [b"a.png", name]


def test_entries_of_the_folders_of_a_list_that_are_passed_over_are_kept(folder):
    (folder / "more/note.txt").write_text("text")
    (folder / "files.txt").write_text("more\n")
    (entries,) = find_images(["@files.txt"]).passed_over.values()
    assert entries == [Path("more/note.txt")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a.png\nabsent.png\n", "files.txt:2: absent.png: no such file or folder"),
        (b"a.png\n\nempty\n", "files.txt:3: empty: holds no file that ends in"),
        (b"a\0.png\n", "files.txt:1: a\0.png: no such file or folder"),
        (b"", "files.txt: names no file"),
        (b"\n \r\n", "files.txt: names no file"),
        (None, "files.txt: cannot be read: No such file or directory"),
    ],
)
def test_list_that_cannot_be_used_is_refused_by_name_and_line(folder, content, message):
    (folder / "empty").mkdir()
    if content is not None:
        (folder / "files.txt").write_bytes(content)
    with pytest.raises(ConfigError) as error:
        find_images(["@files.txt"])
    assert str(error.value).startswith(message)


def test_list_without_a_name_or_that_is_a_pipe_is_refused(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(ConfigError, match="name a list of files"):
        find_images(["@"])
    with pytest.raises(ConfigError, match="pipe: cannot be read: is not a regular file"):
        find_images(["@pipe"])
