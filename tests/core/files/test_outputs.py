"""Where outputs may be written, checked before the work; one rule for every command."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.files import outputs
from elbow_core.files.atomic import atomic_file
from elbow_core.files.outputs import output_file, output_folder, require_output_file
from tests.support.killed_writers import leave_half_file
from tests.support.paths import names_in

NOBODY = 65534


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(path.name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "folder: is a folder; name a file"),
        ("no/x.csv", "no/x.csv: cannot be written: .*no does not exist; make it first"),
        ("file/x.csv", "file/x.csv: cannot be written: Not a directory"),
        ("x" * 256, "File name too long|more than 255 bytes"),
        ("gone", "gone: is a link to nowhere, which does not exist; remove the link"),
        ("loop", "loop: cannot be written: Too many levels"),
        ("socket", "socket: is a socket or a block device; name a file"),
        ("/proc/x.csv", "/proc: cannot be written"),
        ("/dev/full", "/dev/full: cannot be written: No space left on device"),
        ("thesis.tex", "thesis.tex: exists and was not written by this command"),
        ("linked", "linked: exists and was not written by this command"),
    ],
)
def test_output_that_cannot_be_written_is_one_line_with_its_option(
    tmp_path, monkeypatch, name, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "linked").symlink_to("thesis.tex")
    make_socket(Path("socket"))
    before = names_in(tmp_path)
    with pytest.raises(UserError, match=f"^--out: .*(?:{message})") as caught:
        require_output_file(tmp_path / name, "--out", mark="path,score\n")
    assert "\n" not in str(caught.value)
    assert names_in(tmp_path) == before
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("content", [None, "", "path,score\n", "path,score\na,1\n"])
def test_new_files_and_our_own_may_be_written_and_nothing_is_left(tmp_path, content):
    path = tmp_path / ("x" * 251 + ".csv")
    if content is not None:
        path.write_text(content)
    before = names_in(tmp_path)
    require_output_file(path, mark="path,score\n", size=1)
    assert names_in(tmp_path) == before
    with atomic_file(path) as partial:
        partial.write_text("path,score\nb,2\n")
    assert path.read_text() == "path,score\nb,2\n"


def test_disk_that_is_too_small_is_named_before_the_work(tmp_path):
    with pytest.raises(UserError, match=r"its content needs .* MiB, and its disk has"):
        require_output_file(tmp_path / "x.csv", size=2**60)


def test_link_to_a_file_stands_for_that_file(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x.csv").write_text("old")
    link = tmp_path / "x.csv"
    link.symlink_to("real/x.csv")
    with atomic_file(link) as partial:
        partial.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real/x.csv").read_text() == "new"
    assert names_in(tmp_path / "real") == ["x.csv"]
    assert output_folder(tmp_path / "real") == tmp_path / "real"


def test_mounted_files_and_folders_are_refused(tmp_path, monkeypatch):
    """Renaming over one fails, as with a file or an empty folder mounted into a container."""
    with pytest.raises(UserError, match="/proc: is mounted, so nothing can replace it"):
        output_folder(Path("/proc"))
    path = tmp_path / "a b.csv"
    path.write_text("")
    (tmp_path / "mountinfo").write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 8:1 /x {str(path).replace(' ', chr(92) + '040')} rw - ext4 /dev/sda rw\n"
    )
    monkeypatch.setattr(outputs, "_MOUNTS", tmp_path / "mountinfo")
    with pytest.raises(UserError, match=r"a b\.csv: is mounted, so no file can replace it"):
        output_file(path)
    assert output_file(tmp_path / "b.csv") == tmp_path / "b.csv"


def test_device_and_pipe_are_written_to_and_stay(tmp_path):
    with atomic_file(Path("/dev/null")) as partial:
        partial.write_text("text")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    require_output_file(tmp_path / "link")
    assert output_file(tmp_path / "link") is None
    with pytest.raises(UserError, match="link: is a pipe or a device, where a file belongs"):
        require_output_file(tmp_path / "link", regular=True)
    with atomic_file(tmp_path / "link") as partial:
        partial.write_text("text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_what_a_killed_process_left_is_removed_before_the_next_work(tmp_path):
    left = leave_half_file(tmp_path / "x.csv")
    assert left.is_dir()
    foreign = tmp_path / ".elbow-mine0000.partial"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("mine")
    require_output_file(tmp_path / "x.csv")
    assert names_in(tmp_path) == [foreign.name]
    assert names_in(foreign) == ["thesis.tex"]


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users may enter; the parents of `tmp_path` are ours alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_permissions_of_another_user_are_seen_before_the_work(public_folder):
    (public_folder / "file").write_text("ours")
    (public_folder / "open").mkdir(mode=0o777)
    (public_folder / "open").chmod(0o1777)
    (public_folder / "open/file").write_text("ours")
    refused = {}
    os.seteuid(NOBODY)
    try:
        for name in ("file", "new", "open/file", "open/new"):
            try:
                require_output_file(public_folder / name)
            except UserError as error:
                refused[name] = str(error)
    finally:
        os.seteuid(0)
    assert list(refused) == ["file", "new", "open/file"]
    assert all("cannot be written: Permission denied" in line for line in refused.values())
