"""A prepare that is killed, refused disk or disturbed, and the one that goes on from it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from elbow_core.config import dump_config
from elbow_core.prepare import prepare
from elbow_core.prepare.config import DataConfig, FractionSplit
from elbow_core.radiographs.preprocessing import Preprocessing
from elbow_core.sources import FolderSource
from tests.support.paths import ROOT
from tests.support.tiny_images import encode, write

IMAGES = 300  # Five files of the archive.
SIZE = 384  # Some tenths of a second a file: time to kill it in.
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
def unbroken(radiographs, tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("unbroken") / "out"
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


def finished_files(config: DataConfig) -> list[Path]:
    return sorted(config.out.with_name(".out.partial").glob("work/segment-*.json"))


def start(config: DataConfig) -> subprocess.Popen[str]:
    command = [*PREPARE, str(write_config(config))]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def await_finished_files(config: DataConfig, process: subprocess.Popen[str]) -> Iterator[None]:
    """Yield as often as the running prepare has finished another file of the archive."""
    seen = 0
    while process.poll() is None:
        if len(finished_files(config)) > seen:
            seen = len(finished_files(config))
            yield
        time.sleep(0.001)


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_prepare_goes_on_and_gives_the_bytes_of_an_unbroken_one(config, unbroken, workers):
    config = config.model_copy(update={"workers": workers})
    process = start(config)
    next(await_finished_files(config, process), None)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = finished_files(config)
    assert 1 <= len(done) < 5, "the run ended before it could be killed"
    assert not config.out.exists()
    assert prepare(config.model_copy(update={"workers": 0}))
    assert contents(config.out) == unbroken
    assert sorted(path.name for path in config.out.parent.iterdir()) == ["data.yaml", "out"]


def interrupted(config: DataConfig, monkeypatch, after: int) -> None:
    """Stop a prepare, as Ctrl-C does, when so many images are decoded."""
    from elbow_core.prepare import passes

    decode, decoded = passes.decode_radiograph, 0

    def decode_or_stop(data: bytes, name: str) -> np.ndarray:
        nonlocal decoded
        decoded += 1
        if decoded > after:
            raise KeyboardInterrupt
        return decode(data, name)

    with monkeypatch.context() as patch:
        patch.setattr(passes, "decode_radiograph", decode_or_stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(config)


def count_decoded(config: DataConfig, monkeypatch) -> int:
    from elbow_core.prepare import passes

    decode, decoded = passes.decode_radiograph, []

    def decode_and_count(data: bytes, name: str) -> np.ndarray:
        decoded.append(name)
        return decode(data, name)

    with monkeypatch.context() as patch:
        patch.setattr(passes, "decode_radiograph", decode_and_count)
        prepare(config)
    return len(decoded)


def test_next_run_decodes_only_what_was_not_finished(config, unbroken, monkeypatch, capsys):
    interrupted(config, monkeypatch, after=200)
    capsys.readouterr()
    assert count_decoded(config, monkeypatch) == IMAGES - 1 - 3 * 64
    assert contents(config.out) == unbroken
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == ["prepare: 299 of 299"]
    assert "192 of them before" in said[0]


def test_file_that_the_kill_cut_short_is_made_again(config, unbroken, monkeypatch):
    interrupted(config, monkeypatch, after=200)
    partial = config.out.with_name(".out.partial")
    cut = partial / "images-00001.array_record"
    cut.write_bytes(cut.read_bytes()[:-100])
    (partial / "work/segment-00002.json").write_text("{")
    (partial / ".images-00003.array_record.4711.partial").write_bytes(b"half")
    assert count_decoded(config, monkeypatch) == IMAGES - 1 - 64
    assert contents(config.out) == unbroken


def test_changed_radiograph_or_setting_starts_over(config, monkeypatch, radiographs):
    interrupted(config, monkeypatch, after=200)
    other = config.model_copy(update={"preprocess": Preprocessing(size=SIZE, sigma=1.0)})
    assert count_decoded(other, monkeypatch) == IMAGES - 1
    other.out.rename(other.out.with_name("done"))
    interrupted(config, monkeypatch, after=200)
    image = radiographs / "normal/p000.png"
    os.utime(image, ns=(1, 1))
    assert count_decoded(config, monkeypatch) == IMAGES - 1


def test_full_disk_is_one_line_that_says_what_is_kept(config, unbroken):
    # A quota of 4 MiB a file stops the first of the archive's, of 9 MiB.
    limited = f"ulimit -f 4096; exec {' '.join(PREPARE)} {write_config(config)}"
    done = subprocess.run(
        ["bash", "-c", limited], cwd=ROOT, capture_output=True, text=True, check=False
    )
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("read: ")]
    assert done.returncode == 2
    assert line.startswith(f"error: {config.out}: cannot be written: ")
    assert "File too large" in line
    assert line.endswith("keeps what was finished, and the same command goes on from it")
    assert not config.out.exists()
    assert prepare(config)
    assert contents(config.out) == unbroken


def test_second_prepare_into_the_same_folder_is_refused_while_the_first_goes_on(config, unbroken):
    process = start(config)
    next(await_finished_files(config, process), None)
    process.send_signal(signal.SIGSTOP)
    second = subprocess.run(
        [*PREPARE, str(write_config(config))], cwd=ROOT, capture_output=True, text=True, check=False
    )
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate()
    assert (second.returncode, second.stderr) == (
        2,
        f"error: {config.out}: is being prepared by another process\n",
    )
    assert process.returncode == 0, said
    assert contents(config.out) == unbroken
