import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from elbow_core.errors import UserError
from elbow_core.sources import FolderSource, scan

SOURCE = FolderSource(classes={"healthy": 0, "broken": 1})


@pytest.fixture
def root(tmp_path) -> Path:
    for name in ("healthy/p1_a.png", "healthy/more/p2_a.jpg", "broken/p1_b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_folder_gives_the_label_and_the_finding(root):
    rows = scan(root, SOURCE).rows
    assert [(row.path, row.label, row.finding) for row in rows] == [
        ("broken/p1_b.png", 1, "broken"),
        ("healthy/more/p2_a.jpg", 0, "healthy"),
        ("healthy/p1_a.png", 0, "healthy"),
    ]


def test_without_a_pattern_each_image_is_its_own_patient(root):
    assert len({row.patient_id for row in scan(root, SOURCE).rows}) == 3


def test_patient_pattern_groups_images_across_classes(root):
    source = SOURCE.model_copy(update={"patient": r"(?P<patient>p\d+)_"})
    rows = {row.path: row.patient_id for row in scan(root, source).rows}
    assert rows["broken/p1_b.png"] == rows["healthy/p1_a.png"] == "p1"
    assert rows["healthy/more/p2_a.jpg"] == "p2"


def test_file_without_a_matching_patient_is_listed(root):
    (root / "healthy/odd.png").write_bytes(b"x")
    source = SOURCE.model_copy(update={"patient": r"(?P<patient>p\d+)_"})
    with pytest.raises(UserError, match=r"does not match 1 file: healthy/odd\.png"):
        scan(root, source)


def test_folder_that_is_not_a_class_is_an_error(root):
    (root / "unsure").mkdir()
    with pytest.raises(UserError, match="the folders unsure are not among the classes"):
        scan(root, SOURCE)


def test_class_without_folder_or_images_is_named(root):
    (root / "broken/p1_b.png").unlink()
    with pytest.raises(UserError, match="broken: contains no images"):
        scan(root, SOURCE)
    (root / "broken").rmdir()
    with pytest.raises(UserError, match="broken: is not a folder"):
        scan(root, SOURCE)


def test_other_files_are_rejected(root):
    (root / "notes.txt").write_bytes(b"x")
    (root / "healthy/notes.txt").write_bytes(b"x")
    assert [entry.path for entry in scan(root, SOURCE).rejected] == [
        "healthy/notes.txt",
        "notes.txt",
    ]


def test_name_that_is_not_utf8_is_rejected_by_its_own_name(root):
    (root / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    (root / "healthy" / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    rejected = scan(root, SOURCE).rejected
    names = [os.fsencode(entry.path) for entry in rejected]
    assert names == [b"healthy/\xff.png", b"\xff.png"]


def test_missing_root_is_named(tmp_path):
    with pytest.raises(UserError, match="no: is not a folder"):
        scan(tmp_path / "no", SOURCE)


@pytest.mark.parametrize("classes", [{}, {"one": 0}, {"a": 0, "b": 2}])
def test_invalid_classes_are_refused(classes):
    with pytest.raises(ValidationError):
        FolderSource(classes=classes)
