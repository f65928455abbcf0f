import errno
import os

import pytest

from elbow_core.errors import UserError
from elbow_core.files import locks
from elbow_core.files.locks import locked_file, locked_folder
from tests.support.lock_holders import hold, kill
from tests.support.paths import names_in


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


def test_file_system_without_locks_is_named_and_not_refused(tmp_path, monkeypatch, capsys):
    """NFS without lockd gives ENOLCK; some give EBADF for a folder, which is not open to write."""

    def without_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", without_locks)
    with locked_folder(tmp_path, "refused"):
        pass
    assert "its file system has no locks (No locks available)" in capsys.readouterr().err


def test_lock_of_a_file_is_exclusive_and_leaves_no_file(tmp_path):
    path = tmp_path / ".lock"
    with locked_file(path, "refused"):
        with pytest.raises(UserError, match="refused"), locked_file(path, "refused"):
            pass
        assert names_in(tmp_path) == [".lock"]
    assert names_in(tmp_path) == []
    path.touch()  # as a killed process leaves it
    with locked_file(path, "refused"):
        pass
    assert names_in(tmp_path) == []
