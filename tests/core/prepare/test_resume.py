"""Interrupted runs of prepare, and the runs that resume them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from elbow_core.config import dump_config
from elbow_core.prepare import DataConfig, FractionSplit, prepare
from elbow_core.radiographs import Preprocessing
from elbow_core.sources import FolderSource
from tests.support.interrupted_prepare import count_decoded, finished_files, interrupt
from tests.support.killed_writers import leave_half_file
from tests.support.paths import ROOT, names_in
from tests.support.tiny_images import encode, write

IMAGES = 300  # Five segments.
SIZE = 384  # Some tenths of a second per segment: time to kill it.
PREPARE = [sys.executable, "-m", "elbow_core.prepare", "--config"]


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("radiographs") / "root"
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        folder = ("normal", "injury")[number % 2]
        write(root / folder / f"p{number:03d}.png", rng.integers(0, 256, (40, 40), np.uint8))
    damaged = bytearray(encode(rng.integers(0, 256, (40, 40), np.uint8)))
    damaged[len(damaged) // 2] ^= 0xFF
    (root / "normal/p100.png").write_bytes(damaged)
    (root / "injury/p201.png").write_bytes(b"not an image")
    return root


@pytest.fixture
def config(radiographs, tmp_path) -> DataConfig:
    return DataConfig(
        source=FolderSource(classes={"normal": 0, "injury": 1}),
        root=radiographs,
        out=tmp_path / "out",
        preprocess=Preprocessing(size=SIZE, sigma=2.0),
        split=FractionSplit(train=0.5, validation=0.25, test=0.25),
        workers=0,
    )


@pytest.fixture(scope="module")
def uninterrupted(radiographs, tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("uninterrupted") / "out"
    prepare(
        DataConfig(
            source=FolderSource(classes={"normal": 0, "injury": 1}),
            root=radiographs,
            out=out,
            preprocess=Preprocessing(size=SIZE, sigma=2.0),
            split=FractionSplit(train=0.5, validation=0.25, test=0.25),
            workers=0,
        )
    )
    return contents(out)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write_config(config: DataConfig) -> Path:
    path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config))
    return path


def start(config: DataConfig) -> subprocess.Popen[str]:
    command = [*PREPARE, str(write_config(config))]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def await_finished_files(config: DataConfig, process: subprocess.Popen[str]) -> Iterator[None]:
    """Yield each time the running prepare has finished another segment."""
    seen = 0
    while process.poll() is None:
        if len(finished_files(config)) > seen:
            seen = len(finished_files(config))
            yield
        time.sleep(0.001)


def kill_in_the_middle(config: DataConfig, attempts: int = 20) -> bool:
    """Kill a prepare that has finished some of its five segments; False if it was always faster."""
    for _ in range(attempts):
        process = start(config)
        next(await_finished_files(config, process), None)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if 1 <= len(finished_files(config)) < 5:
            return True
        for folder in (config.out, config.out.with_name(".out.partial")):
            shutil.rmtree(folder, ignore_errors=True)
    return False


@pytest.mark.parametrize("workers", [0, 2])
def test_resumed_run_after_a_kill_is_byte_identical_to_an_uninterrupted_one(
    config, uninterrupted, workers
):
    config = config.model_copy(update={"workers": workers})
    assert kill_in_the_middle(config), "the run ended before it could be killed"
    assert not config.out.exists()
    assert prepare(config.model_copy(update={"workers": 0}))
    assert contents(config.out) == uninterrupted
    assert names_in(config.out.parent) == ["data.yaml", "out"]


def test_resumed_run_decodes_only_unfinished_segments(config, uninterrupted, monkeypatch, capsys):
    interrupt(config, monkeypatch, after=200)
    capsys.readouterr()
    assert count_decoded(config, monkeypatch) == IMAGES - 1 - 3 * 64
    assert contents(config.out) == uninterrupted
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "read headers: 300 of 300",
        "read: 300 of 300",
        "prepare: 299 of 299",
    ]
    assert "192 of them in an earlier run" in lines[2]


def test_truncated_segment_is_written_again(config, uninterrupted, monkeypatch):
    interrupt(config, monkeypatch, after=200)
    partial = config.out.with_name(".out.partial")
    cut = partial / "data/images-00001.array_record"
    cut.write_bytes(cut.read_bytes()[:-100])
    (partial / "work/segment-00002.json").write_text("{")
    leave_half_file(partial / "data/images-00003.array_record")
    assert count_decoded(config, monkeypatch) == IMAGES - 1 - 64
    assert contents(config.out) == uninterrupted


def test_changed_radiograph_or_setting_starts_again(config, monkeypatch, radiographs):
    interrupt(config, monkeypatch, after=200)
    other = config.model_copy(update={"preprocess": Preprocessing(size=SIZE, sigma=1.0)})
    assert count_decoded(other, monkeypatch) == IMAGES - 1
    other.out.rename(other.out.with_name("done"))
    interrupt(config, monkeypatch, after=200)
    replace_unnoticed(radiographs / "normal/p000.png", seed=1)
    assert count_decoded(config, monkeypatch) == IMAGES - 1
    replace_unnoticed(radiographs / "normal/p000.png", seed=0)


def replace_unnoticed(image: Path, seed: int) -> None:
    """Replace an image by another of equal length, and give it the former one's time."""
    time_before, data = image.stat().st_mtime_ns, image.read_bytes()
    grey = np.random.default_rng(seed).integers(0, 256, (40, 40), np.uint8)
    other = encode(grey)
    assert len(other) == len(data)
    image.write_bytes(other)
    os.utime(image, ns=(time_before, time_before))


def test_touched_radiograph_is_the_same_content(config, monkeypatch, radiographs):
    interrupt(config, monkeypatch, after=200)
    os.utime(radiographs / "normal/p000.png", ns=(1, 1))
    assert count_decoded(config, monkeypatch) == IMAGES - 1 - 3 * 64


def test_full_disk_is_one_line_that_names_the_finished_part(config, uninterrupted):
    # A limit of 4 MiB per file stops the first segment, of 9 MiB.
    limited = f"ulimit -f 4096; exec {' '.join(PREPARE)} {write_config(config)}"
    done = subprocess.run(
        ["bash", "-c", limited], cwd=ROOT, capture_output=True, text=True, check=False
    )
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("read")]
    assert done.returncode == 2
    assert line.startswith(f"error: {config.out}: cannot be written: ")
    assert "File too large" in line
    assert line.endswith("contains the finished part, and the same command resumes from it")
    assert not config.out.exists()
    assert prepare(config)
    assert contents(config.out) == uninterrupted


def test_second_run_into_the_same_folder_is_refused_and_the_first_continues(config, uninterrupted):
    process = start(config)
    next(await_finished_files(config, process), None)
    process.send_signal(signal.SIGSTOP)
    second = subprocess.run(
        [*PREPARE, str(write_config(config))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate()
    assert (second.returncode, second.stderr.splitlines()[-1]) == (
        2,
        f"error: {config.out}: is being prepared by another process",
    )
    assert process.returncode == 0, errors
    assert contents(config.out) == uninterrupted
