"""Damaged records of an interrupted prepare: its key, and what it noted of each segment."""

import os
from pathlib import Path

import pytest

from elbow_core.dataset import read_manifest
from elbow_core.errors import UserError
from elbow_core.prepare import DataConfig, prepare
from tests.support.interrupted_prepare import count_decoded, finished_files, interrupt_at_the_end
from tests.support.paths import names_in
from tests.support.prepare_folders import write_images


def work_of(config: DataConfig) -> Path:
    """The folder of the records of an interrupted run."""
    (segment,) = finished_files(config)
    return segment.parent


@pytest.mark.parametrize(
    "record",
    ["[]", "{}", '{"images": 3, "segment": {}}', '{"images": [], "segment": {}}', "[" * 99_999],
)
def test_damaged_record_of_a_segment_is_written_again(tmp_path, monkeypatch, record):
    config = write_images(tmp_path)
    interrupt_at_the_end(config, monkeypatch)
    (path,) = finished_files(config)
    path.write_text(record)
    assert prepare(config)
    assert len(read_manifest(config.out / "manifest.csv")) == 48


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"0" * 64])
def test_work_with_a_damaged_key_begins_again(tmp_path, monkeypatch, content):
    config = write_images(tmp_path)
    interrupt_at_the_end(config, monkeypatch)
    work_of(config).joinpath("key").write_bytes(content)
    assert count_decoded(config, monkeypatch) == 48
    assert names_in(tmp_path) == ["out", "root"]


def test_pipe_in_the_place_of_a_record_does_not_hold_the_command(tmp_path, monkeypatch):
    config = write_images(tmp_path)
    for name in ("key", "segment-00000.json"):
        interrupt_at_the_end(config, monkeypatch)
        record = work_of(config) / name
        record.unlink()
        os.mkfifo(record)
    with pytest.raises(UserError, match=r"is not a regular file: .*segment-00000\.json"):
        prepare(config)
