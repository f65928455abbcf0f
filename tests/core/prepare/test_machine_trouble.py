"""The machine's trouble stops prepare with its own reason; no file is rejected for it."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elbow_core.config import dump_config
from elbow_core.errors import MachineError
from elbow_core.prepare import prepare
from tests.support.paths import ROOT
from tests.support.prepare_folders import rejected, write_images
from tests.support.processes import linux

UNREADABLE = {
    "disk": (errno.EIO, "Input/output error"),
    "network": (errno.ESTALE, "Stale file handle"),
    "permission": (errno.EACCES, "Permission denied"),
    "memory": (errno.ENOMEM, "Cannot allocate memory"),
    "files": (errno.EMFILE, "Too many open files"),
}


@pytest.fixture
def config(tmp_path):
    return write_images(tmp_path)


@pytest.mark.parametrize("kind", UNREADABLE)
@pytest.mark.parametrize("after", [0, 48], ids=["first pass", "second pass"])
def test_file_that_the_system_does_not_give_stops_the_run(config, monkeypatch, kind, after):
    number, words = UNREADABLE[kind]
    opened, count = os.open, 0

    def open_or_fail(path: Any, *arguments: Any, **options: Any) -> int:
        nonlocal count
        if str(path).startswith(str(config.root)) and str(path).endswith((".png", ".jpg")):
            count += 1
            if count == after + 5:
                raise OSError(number, words, str(path))
        return opened(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_or_fail)
        with pytest.raises(MachineError) as caught:
            prepare(config)
    assert str(caught.value).startswith(str(config.root))
    assert str(caught.value).endswith(f": cannot be read: {words}")
    assert not config.out.exists()
    assert prepare(config)
    assert rejected(config) == {}


def test_file_that_vanishes_stops_the_run(config, monkeypatch):
    from elbow_core.prepare import pipeline

    digest_images = pipeline.digest_images
    gone = config.root / "normal/p00_0.png"

    def remove_and_digest(*arguments: Any) -> Any:
        gone.unlink()
        return digest_images(*arguments)

    monkeypatch.setattr(pipeline, "digest_images", remove_and_digest)
    with pytest.raises(MachineError, match=r"p00_0\.png: cannot be read: No such file"):
        prepare(config)
    assert not config.out.exists()


@pytest.mark.parametrize("place", ["decode_radiograph", "perceptual_hash", "preprocess"])
def test_short_memory_stops_the_run_by_name(config, monkeypatch, place):
    from elbow_core.prepare import archive_pass
    from elbow_core.radiographs import decoding

    def run_short(*_: Any, **__: Any) -> np.ndarray:
        raise MemoryError

    if place == "decode_radiograph":
        monkeypatch.setattr(decoding, "require_memory", run_short)
    else:
        monkeypatch.setattr(archive_pass, place, run_short)
    with pytest.raises(
        MachineError, match=r"p\d\d_\d\.(png|jpg): not enough memory to .*; use fewer"
    ):
        prepare(config)
    assert not config.out.exists()


@linux
@pytest.mark.parametrize(("mebibytes", "workers"), [(300, 0), (600, 2), (1200, 2)])
def test_small_address_space_is_one_line(config, mebibytes, workers):
    path: Path = config.out.with_name("data.yaml")
    path.write_text(dump_config(config.model_copy(update={"workers": workers})))
    limited = f"ulimit -v {mebibytes * 1024}; exec {sys.executable} -m elbow_core.prepare"
    done = subprocess.run(
        ["bash", "-c", f"{limited} --config {path}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        # OpenBLAS reserves memory for each of its threads while it is imported.
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("read")]
    assert done.returncode == 2
    assert line.startswith("error: ")
    assert "allow more memory (ulimit -v)" in line
    assert not config.out.exists()
