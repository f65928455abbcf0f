from pathlib import Path

import pytest

from elbow_core.errors import MachineError
from elbow_core.radiographs import IMAGE_SUFFIXES, counts_as_image, list_image_files
from tests.support.processes import linux

DICOM = bytes(128) + b"DICM"


def write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", [*IMAGE_SUFFIXES, ".PNG", ".Dcm"])
def test_file_with_an_image_suffix_counts(tmp_path, suffix):
    assert counts_as_image(write(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize("name", ["IM000001", "1.2.840.113619.2.55", "a.IMA", "a.dicom", "IM.1"])
def test_file_without_an_image_suffix_counts_if_it_starts_as_dicom(tmp_path, name):
    assert counts_as_image(write(tmp_path / name, DICOM))
    assert not counts_as_image(write(tmp_path / name, b"x" * 200))
    assert not counts_as_image(tmp_path / "missing")


def test_images_of_a_folder_are_listed_at_any_depth_and_sorted(tmp_path):
    for name in ("b.png", "deep/er/a.JPG", "notes.txt", ".hidden.png", "deep/._a.JPG"):
        write(tmp_path / name)
    write(tmp_path / "deep/IM1", DICOM)
    (tmp_path / "folder.png").mkdir()
    files = [path.relative_to(tmp_path).as_posix() for path in list_image_files(tmp_path)]
    assert files == ["b.png", "deep/IM1", "deep/er/a.JPG"]


@linux
def test_file_of_another_name_that_cannot_be_read_may_be_dicom():
    with pytest.raises(MachineError, match="/proc/self/mem: cannot be read: Input/output error"):
        counts_as_image(Path("/proc/self/mem"))
