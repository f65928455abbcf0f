"""Files and folders of operating systems and network drives: by every source, and by predict."""

from pathlib import Path

import pytest

from elbow_core.files.system_files import reason_to_leave_out
from elbow_core.radiographs import list_image_files
from elbow_core.sources import (
    ElbowSource,
    FindingRule,
    FolderSource,
    FracAtlasSource,
    MuraSource,
    Source,
    list_images,
    scan,
)

FOLDERS = (
    "@eaDir",
    "@EADIR",
    "#recycle",
    "#snapshot",
    "@Recycle",
    "@Recently-Snapshot",
    "$RECYCLE.BIN",
    "$Recycle.Bin",
    "System Volume Information",
    "__MACOSX",
    "lost+found",
    "found.000",
    "~snapshot",
    ".thumbnails",
    ".@__thumb",
    ".Trash-1000",
    ".snapshot",
    ".git",
)
FILES = ("Thumbs.db", "DICOMDIR", "desktop.ini", "._p1.png", ".DS_Store", "SYNOPHOTO_THUMB_M.jpg")


def test_each_is_left_out_with_a_reason():
    for name in FOLDERS:
        assert reason_to_leave_out(name, folder=True)
    for name in FILES:
        assert reason_to_leave_out(name, folder=False)
    assert reason_to_leave_out("@eaDir", folder=True) == "is a folder that a Synology drive writes"
    assert reason_to_leave_out("Thumbs.db", folder=False) == "is a file that Windows writes"
    assert reason_to_leave_out("._p1.png", folder=False) == "is a hidden file"


@pytest.mark.parametrize("name", ["#12", "@12", "$5", "patient", "thumbs", "snapshot", "p1.png"])
def test_names_that_users_give_are_kept(name):
    assert reason_to_leave_out(name, folder=True) is None
    assert reason_to_leave_out(name, folder=False) is None


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def fill(folder: Path) -> set[str]:
    """Write an image into each system folder, and each system file; return all their names."""
    write(folder, *(f"{name}/p9_normal.png/image.png" for name in FOLDERS), *FILES)
    return {*FOLDERS, *FILES}


def test_listing_rejects_each_once_and_does_not_enter_it(tmp_path):
    expected = fill(tmp_path / "deep")
    write(tmp_path, "deep/p1.png")
    images, rejected = list_images(tmp_path)
    assert images == ["deep/p1.png"]
    assert [entry.path for entry in rejected] == sorted(f"deep/{name}" for name in expected)
    assert list_image_files(tmp_path) == [tmp_path / "deep/p1.png"]


MURA = "train/XR_ELBOW/patient00001/study1_positive"


@pytest.mark.parametrize(
    ("source", "folder", "images"),
    [
        (FolderSource(classes={"a": 0, "b": 1}), "a", ("a/p1.png", "b/p2.png")),
        (MuraSource(), MURA, (f"{MURA}/image1.png",)),
        (FracAtlasSource(), "images", ("images/IMG1.jpg",)),
        (
            ElbowSource(
                rules=(FindingRule(pattern="normal", finding="normal", label=0),),
                patient=r"(?P<patient>p\d+)",
            ),
            "deep",
            ("deep/p1_normal.png",),
        ),
    ],
    ids=["folder", "mura", "fracatlas", "elbow"],
)
def test_every_source_leaves_them_out_with_a_reason(
    tmp_path, source: Source, folder: str, images: tuple[str, ...]
):
    write(tmp_path, *images)
    header = "image_id,hand,fractured,hardware,frontal,lateral,oblique"
    (tmp_path / "labels.csv").write_text(f"{header}\nIMG1.jpg,1,0,0,1,0,0\n")
    before = scan(tmp_path, source)
    expected = fill(tmp_path / folder)
    after = scan(tmp_path, source)
    assert [row.path for row in before.rows] == sorted(images)
    assert after.rows == before.rows
    added = {entry.path for entry in after.rejected} - {entry.path for entry in before.rejected}
    assert added == {f"{folder}/{name}" for name in expected}


def test_system_folder_at_the_root_of_classes_is_no_class(tmp_path):
    write(tmp_path, "a/p1.png", "b/p2.png", "@eaDir/x.png", ".cache/x.png", "__MACOSX/a/._p1.png")
    found = scan(tmp_path, FolderSource(classes={"a": 0, "b": 1}))
    assert [row.path for row in found.rows] == ["a/p1.png", "b/p2.png"]
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        (".cache", "is a hidden folder"),
        ("@eaDir", "is a folder that a Synology drive writes"),
        ("__MACOSX", "is a folder that macOS writes"),
    ]


def test_data_root_may_itself_be_in_a_hidden_folder(tmp_path):
    write(tmp_path, ".data/@eaDir/a/p1.png")
    assert list_images(tmp_path / ".data/@eaDir")[0] == ["a/p1.png"]
    assert len(list_image_files(tmp_path / ".data/@eaDir")) == 1
