import errno
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from elbow_core import files
from elbow_core.errors import UserError
from elbow_core.files import (
    apply_umask,
    atomic_file,
    atomic_folder,
    is_full,
    locked_file,
    locked_folder,
    remove_content,
    require_room,
    require_writable,
    sha256_of,
)
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
    assert names(tmp_path) == ["file", "folder"]


def test_permissions_for_others_are_left_as_they_are(tmp_path):
    (tmp_path / "script").touch(mode=0o750)
    (tmp_path / "script").chmod(0o750)
    apply_umask(tmp_path / "script")
    assert mode(tmp_path / "script") == 0o750


def test_file_system_without_locks_is_named_and_not_refused(tmp_path, monkeypatch, capsys):
    """NFS without lockd gives ENOLCK; some give EBADF for a folder, which is not open to write."""

    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files.fcntl, "flock", without_locks)
    with locked_folder(tmp_path, "refused"):
        pass
    assert "its file system has no locks (No locks available)" in capsys.readouterr().err


def test_lock_of_a_file_is_exclusive_and_leaves_no_file(tmp_path):
    path = tmp_path / ".lock"
    with locked_file(path, "refused"):
        with pytest.raises(UserError, match="refused"), locked_file(path, "refused"):
            pass
        assert names(tmp_path) == [".lock"]
    assert names(tmp_path) == []
    path.touch()  # as a killed process leaves it
    with locked_file(path, "refused"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["", "new", "deep/new", "file"])
def test_writable_places_pass_and_nothing_is_left(tmp_path, name):
    (tmp_path / "file").touch()
    require_writable(tmp_path / name)
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("path", ["{file}/run", "{file}/deep/run", "/proc/run"])
def test_place_that_cannot_be_written_is_named(tmp_path, path):
    (tmp_path / "file").touch()
    place = Path(path.format(file=tmp_path / "file"))
    with pytest.raises(UserError, match=f"{place}: cannot be written"):
        require_writable(place)


def test_disk_without_room_is_named_before_anything_is_written(tmp_path):
    require_room(tmp_path / "deep" / "new", 1, "the next checkpoint")
    with pytest.raises(UserError, match=r"the next checkpoint needs [\d,.]+ MiB, and its disk has"):
        require_room(tmp_path / "deep" / "new", 2**80, "the next checkpoint")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EACCES, os.strerror(errno.ENOSPC)), False),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (ValueError("x"), False),
    ],
)
def test_errors_of_a_full_disk_are_recognised(error, full):
    assert is_full(error) == full
