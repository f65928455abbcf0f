import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files.atomic import apply_umask, atomic_file, atomic_folder, sha256_of
from elbow_core.files.partial_folders import remove_content
from tests.support.lock_holders import hold, kill
from tests.support.paths import names_in

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


def test_replace_keeps_the_former_folder_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with atomic_folder(path, may_replace=accept) as partial:
        (partial / "new.txt").write_text("new")
        assert names_in(path) == ["old.txt"]
    assert names_in(path) == ["new.txt"]
    assert names_in(tmp_path) == ["folder"]


@pytest.mark.parametrize("error", ERRORS)
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


def test_content_is_removed_without_following_links(tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for path in (folder / "deep/a.txt", folder / "b.txt", outside / "kept.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (folder / "link").symlink_to(outside)
    remove_content(folder)
    assert names_in(folder) == []
    assert names_in(outside) == ["kept.txt"]


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 12_288], ids=["0", "3", "3M"])
def test_digest_is_the_sha256_of_the_content(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_digest_of_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "no")


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
