import os
import tempfile
from pathlib import Path

import pytest

from elbow_core.files.atomic import atomic_file, atomic_folder
from elbow_core.files.permissions import apply_umask
from tests.support.paths import names_in


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_written_through_temporary_ones_get_the_permissions_of_the_umask(
    tmp_path, umask, expected
):
    before = os.umask(umask)
    try:
        with atomic_folder(tmp_path / "folder") as partial:
            (partial / "plain").touch()
            for folder in (partial, Path(tempfile.mkdtemp(dir=partial))):
                descriptor, _ = tempfile.mkstemp(dir=folder)
                os.close(descriptor)
            (partial / "link").symlink_to("nowhere")
        with atomic_file(tmp_path / "file") as partial:
            descriptor, name = tempfile.mkstemp(dir=tmp_path)
            os.close(descriptor)
            Path(name).replace(partial)
    finally:
        os.umask(before)
    written = [tmp_path / "file", *(tmp_path / "folder").rglob("*")]
    files = [path for path in written if path.is_file()]
    assert len(files) == 4
    assert {mode(path) for path in files} == {expected}
    (inner,) = (path for path in written if path.is_dir())
    assert mode(inner) == expected | (expected & 0o444) >> 2
    assert names_in(tmp_path) == ["file", "folder"]


def test_permissions_for_others_are_left_as_they_are(tmp_path):
    (tmp_path / "script").touch(mode=0o750)
    (tmp_path / "script").chmod(0o750)
    apply_umask(tmp_path / "script")
    assert mode(tmp_path / "script") == 0o750


def test_file_is_created_with_the_mode_of_the_umask_and_its_folder_is_private(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "x") as partial:
            assert partial.parent.stat().st_mode & 0o777 == 0o700
            partial.write_text("")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
