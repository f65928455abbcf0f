"""Work of a killed run is resumed by a run of the same key, and by no other."""

import os

import pytest

from elbow_core.files import MARK, is_work_of, resume_work
from tests.support.paths import names_in


def test_work_of_the_same_key_is_kept(tmp_path):
    data, work = resume_work(tmp_path, "key", ("data", "work"))
    (data / "a").write_text("half")
    (work / "b").write_text("state")
    assert resume_work(tmp_path, "key", ("data", "work")) == [data, work]
    assert ((data / "a").read_text(), (work / "b").read_text()) == ("half", "state")
    assert is_work_of(work, "key")


def test_work_of_another_key_is_removed_and_the_mark_stays(tmp_path):
    (tmp_path / MARK).touch()
    (work,) = resume_work(tmp_path, "key", ["work"])
    (work / "b").write_text("state")
    assert resume_work(tmp_path, "other", ["work"]) == [work]
    assert sorted(names_in(work)) == ["key"]
    assert names_in(tmp_path) == sorted([MARK, "work"])


@pytest.mark.parametrize("name", ["key", "work"])
def test_what_is_no_key_is_the_work_of_no_run(tmp_path, name):
    work = tmp_path / "work"
    if name == "work":
        work.write_text("a file")
    else:
        work.mkdir()
        os.mkfifo(work / "key")
    assert not is_work_of(work, "")
