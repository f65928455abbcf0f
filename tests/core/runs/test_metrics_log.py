"""The log of a run, and what a damaged one does to a run that is resumed."""

import os
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.runs import MetricsLog

ROWS = b"".join(b'{"step": %d, "loss": 0.5}\n' % step for step in (2, 4, 6))


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(ROWS)
    return path


def test_resumed_log_drops_later_rows_and_an_incomplete_one(file):
    file.write_bytes(ROWS + b'{"step": 3, "lo')
    MetricsLog(file, after=4).write({"step": 5})
    assert file.read_bytes() == ROWS[: -len(ROWS) // 3] + b'{"step": 5}\n'


@pytest.mark.parametrize(
    "row", [b"hello", b"null", b"[]", b'{"a": 1}', b'{"step": "2"}', b"[" * 99_999, b"\xff", b""]
)
def test_damaged_row_is_named_and_the_log_stays(file, row):
    file.write_bytes(ROWS + row + b"\n" + ROWS)
    before = file.read_bytes()
    with pytest.raises(UserError, match=r"metrics\.jsonl:4: is not a row .*delete it") as raised:
        MetricsLog(file, after=4)
    assert len(str(raised.value).splitlines()) == 1
    assert file.read_bytes() == before


def test_pipe_in_the_place_of_the_log_is_refused(tmp_path):
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(OSError, match="is not a regular file"):
        MetricsLog(tmp_path / "metrics.jsonl", after=0)
