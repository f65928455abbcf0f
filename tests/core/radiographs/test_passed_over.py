"""What a folder holds beside the radiographs that are taken from it."""

import os
from pathlib import Path

import pytest

from elbow_core.radiographs import describe_passed_over, find_passed_over, list_image_files


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with two images and one entry of each kind that is passed over."""
    folder = tmp_path / "cd"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/far.png").touch()
    for name in ("a.png", "sub/b.JPG", "._c.png", ".hidden", "notes.txt", "sub/README"):
        (folder / name).touch()
    for name in ("@eaDir/thumb.png", ".trash/old.png", "sub/Thumbs.db"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "near.png").symlink_to(tmp_path / "elsewhere/far.png")
    (folder / "gone.png").symlink_to(tmp_path / "elsewhere/gone.png")
    os.mkfifo(folder / "pipe.png")
    return folder


def test_every_entry_is_taken_or_counted_once(folder):
    images = list_image_files(folder)
    found = find_passed_over(folder, images)
    names = {
        reason: [path.relative_to(folder).as_posix() for path in paths]
        for reason, paths in found.items()
    }
    assert names == {
        "links to folders, which are not followed": ["linked"],
        "hidden files and folders": [".trash", "._c.png", ".hidden"],
        "files and folders that an operating system, a network drive or a DICOM disc adds": [
            "@eaDir",
            "sub/Thumbs.db",
        ],
        "broken links": ["gone.png"],
        "files that are not DICOM and do not end in .png, .jpg, .jpeg, .dcm": [
            "notes.txt",
            "sub/README",
        ],
        "pipes, sockets or devices": ["pipe.png"],
    }
    assert sorted(path.name for path in images) == ["a.png", "b.JPG", "near.png"]


def test_folder_of_images_alone_leaves_nothing(tmp_path):
    (tmp_path / "a.png").touch()
    assert find_passed_over(tmp_path, list_image_files(tmp_path)) == {}


def test_image_that_was_not_taken_is_counted(folder):
    names = [path.name for path in find_passed_over(folder, [])["images"]]
    assert names == ["a.png", "near.png", "b.JPG"]


def test_line_names_the_first_three_and_counts_the_rest():
    found = {"hidden files": [Path(f"d/.{number}") for number in range(5)], "x": [Path("y")]}
    assert describe_passed_over(found) == [
        "passed over 5 hidden files: d/.0, d/.1, d/.2 and 2 more",
        "passed over 1 x: y",
    ]


def test_folder_that_cannot_be_read_is_counted(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    assert find_passed_over(tmp_path, []) == {"folders that cannot be read": [closed]}
