import errno
import os
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files.disk import is_full, is_of_the_system, require_room, require_writable
from tests.support.paths import names_in


@pytest.mark.parametrize("name", ["", "new", "deep/new", "file"])
def test_writable_places_pass_and_nothing_is_left(tmp_path, name):
    (tmp_path / "file").touch()
    require_writable(tmp_path / name)
    assert names_in(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("{file}/run", "cannot be written"),
        ("{file}/deep/run", "cannot be written"),
        ("/proc/run", "cannot be written"),
        ("{file}" + "x" * 250, "cannot be written"),
        ("{file}" + "x" * 243, "cannot be written"),
        ("{file}_link", "is a link to nowhere, which does not exist"),
    ],
)
def test_place_that_cannot_be_written_is_named(tmp_path, path, problem):
    (tmp_path / "file").touch()
    (tmp_path / "file_link").symlink_to("nowhere")
    place = Path(path.format(file=tmp_path / "file"))
    with pytest.raises(UserError, match=f"{place}: {problem}"):
        require_writable(place)


def test_disk_without_room_is_named_before_anything_is_written(tmp_path):
    require_room(tmp_path / "deep" / "new", 1, "the next checkpoint")
    with pytest.raises(UserError, match=r"the next checkpoint needs [\d,.]+ MiB, and its disk has"):
        require_room(tmp_path / "deep" / "new", 2**80, "the next checkpoint")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "of_the_system"),
    [
        (RuntimeError("I/O error: Permission denied (os error 13)"), True),
        (ValueError("[/run] Input/output error"), True),
        (RuntimeError("I/O error: No space left on device (os error 28)"), True),
        (ValueError("shape (os error 131)"), False),
        (ValueError("x"), False),
    ],
)
def test_errors_of_the_system_are_recognised_in_the_words_of_libraries(error, of_the_system):
    assert is_of_the_system(error) == of_the_system


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
