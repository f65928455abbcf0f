import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files import atomic_file, atomic_folder, locked_folder, remove_content, sha256_of
from tests.support.paths import ROOT

ERRORS = [ValueError, KeyboardInterrupt]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_when_the_block_has_succeeded(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert partial.parent == path.parent
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
        assert partial.parent == path.parent
    assert (path / "a.txt").read_text() == "new"
    assert names(path.parent) == ["folder"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("replace", [False, True])
def test_failed_block_leaves_no_folder(tmp_path, error, replace):
    def write_half() -> None:
        with atomic_folder(tmp_path / "folder", replace=replace) as partial:
            (partial / "a.txt").write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert names(tmp_path) == []


def test_replace_keeps_the_former_folder_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with atomic_folder(path, replace=True) as partial:
        (partial / "new.txt").write_text("new")
        assert names(path) == ["old.txt"]
    assert names(path) == ["new.txt"]
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("error", ERRORS)
def test_failed_replacement_leaves_the_former_folder(tmp_path, error):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")

    def write_half() -> None:
        with atomic_folder(path, replace=True) as partial:
            (partial / "new.txt").write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert names(path) == ["old.txt"]
    assert names(tmp_path) == ["folder"]


def test_folder_with_content_is_not_overwritten_without_replace(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(OSError, match="not empty"), atomic_folder(path) as partial:
        (partial / "new.txt").write_text("new")
    assert names(path) == ["old.txt"]
    assert names(tmp_path) == ["folder"]


def test_folder_that_cannot_be_created_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"folder: cannot be created: "),
        atomic_folder(tmp_path / "file" / "folder"),
    ):
        pass


def hold(code: str, folder: Path) -> subprocess.Popen[str]:
    """Start a process that enters a context manager on a folder, and wait until it is inside."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from elbow_core.files import atomic_folder, locked_folder\n"
        f"with {code} as inside:\n"
        "    if inside: (inside / 'half.txt').write_text('half')\n"
        "    print('inside', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "inside\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_second_writer_is_refused_and_the_leftover_of_a_killed_one_is_removed(tmp_path):
    path = tmp_path / "folder"
    process = hold("atomic_folder(Path(sys.argv[1]))", path)
    try:
        with (
            pytest.raises(UserError, match="folder: is being written by another process"),
            atomic_folder(path),
        ):
            pass
        assert (tmp_path / ".folder.partial/half.txt").exists()
    finally:
        kill(process)
    assert names(tmp_path) == [".folder.partial"]
    with atomic_folder(path) as partial:
        assert names(partial) == []
        (partial / "a.txt").write_text("new")
    assert names(path) == ["a.txt"]
    assert names(tmp_path) == ["folder"]


def test_lock_is_exclusive_and_ends_with_the_block(tmp_path):
    with locked_folder(tmp_path, "first"):
        with pytest.raises(UserError, match=r"^second$"), locked_folder(tmp_path, "second"):
            pass
        with pytest.raises(UserError, match=r"^third$"), locked_folder(tmp_path, "third"):
            pass
    with locked_folder(tmp_path, "fourth"):
        pass


def test_lock_ends_with_a_killed_process(tmp_path):
    process = hold("locked_folder(Path(sys.argv[1]), 'refused')", tmp_path)
    try:
        with pytest.raises(UserError, match=r"^refused$"), locked_folder(tmp_path, "refused"):
            pass
    finally:
        kill(process)
    with locked_folder(tmp_path, "refused"):
        pass


def test_content_is_removed_without_following_links(tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    for path in (folder / "deep/a.txt", folder / "b.txt", outside / "kept.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (folder / "link").symlink_to(outside)
    remove_content(folder)
    assert names(folder) == []
    assert names(outside) == ["kept.txt"]


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 12_288], ids=["0", "3", "3M"])
def test_digest_is_the_sha256_of_the_content(tmp_path, content):
    path = tmp_path / "a"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_digest_of_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "no")
