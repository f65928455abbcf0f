import os
from pathlib import Path

import pytest

from elbow_core.files.bounded import read_regular


def test_file_up_to_the_limit_is_read_whole(tmp_path):
    content = bytes(range(256)) * 1000
    (tmp_path / "file").write_bytes(content)
    assert read_regular(tmp_path / "file", len(content)) == content
    (tmp_path / "empty").touch()
    assert read_regular(tmp_path / "empty", 0) == b""


def test_links_are_followed(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_regular(tmp_path / "link", 10) == b"text"


def test_file_of_unstated_length_is_read_and_limited():
    assert b"Name:" in read_regular(Path("/proc/self/status"), 1 << 16)
    with pytest.raises(OSError, match="has more than 100 bytes"):
        read_regular(Path("/proc/self/status"), 100)


@pytest.mark.parametrize("size", [11, 1 << 40])
def test_longer_file_is_refused_without_reading_it(tmp_path, size):
    with (tmp_path / "file").open("wb") as file:
        file.truncate(size)
    with pytest.raises(OSError, match="has more than 10 bytes") as refusal:
        read_regular(tmp_path / "file", 10)
    assert refusal.value.filename == str(tmp_path / "file")


@pytest.mark.parametrize("kind", ["pipe", "folder", "/dev/zero", "/dev/null"])
def test_what_is_not_a_regular_file_is_refused_at_once(tmp_path, kind):
    path = Path(kind) if kind.startswith("/") else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(OSError, match="is not a regular file"):
        read_regular(path, 1 << 40)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="is not a regular file"):
        read_regular(link, 1 << 40)


def test_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "file", 10)
