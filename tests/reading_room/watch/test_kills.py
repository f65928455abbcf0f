"""500 studies, and 20 kills of the watcher or of the server at random moments."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.orthanc import Orthanc
from tests.support.pacs_studies import PATIENT, all_once, image_uid, results, study_image
from tests.support.paths import ROOT

STUDIES, KILLS = 500, 20
_PATIENCE = 3600.0  # seconds


class WatcherProcess:
    """The command, in a process of its own."""

    def __init__(self, orthanc: Orthanc, model: Path, folder: Path) -> None:
        self._command = [
            *(sys.executable, "-m", "reading_room.watch", "--dicomweb", orthanc.url),
            *("--model", str(model), "--state", str(folder / "state"), "--interval", "0.5"),
        ]
        self.log = folder / "watch.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None


def sent(orthanc: Orthanc) -> int:
    """Instances at the server."""
    return len(orthanc.identifiers())


@pytest.mark.slow
def test_every_study_is_scored_exactly_once_through_kills_of_either_side(orthanc, model, tmp_path):
    draw = random.Random(0)
    for study in range(STUDIES):
        orthanc.put(study_image(study))
    watcher = WatcherProcess(orthanc, model, tmp_path)
    watcher.start()
    try:
        last = time.monotonic() + _PATIENCE
        for number in range(KILLS):
            # Spread over the work, at a random moment of one image's.
            wanted = STUDIES + 3 * STUDIES * (number + draw.random()) / (KILLS + 1)
            while sent(orthanc) < wanted:
                assert watcher.is_running(), watcher.log.read_text()[-2000:]
                assert time.monotonic() < last, f"only {sent(orthanc)} instances"
                time.sleep(0.1)
            time.sleep(draw.uniform(0, 0.3))
            if number % 2:
                orthanc.kill()
                time.sleep(draw.uniform(0, 2))
                orthanc.start()
            else:
                watcher.kill()
                watcher.start()
        while sent(orthanc) < 4 * STUDIES:
            assert watcher.is_running(), watcher.log.read_text()[-2000:]
            assert time.monotonic() < last, f"only {sent(orthanc)} instances"
            time.sleep(0.5)
        time.sleep(3)  # further passes
    finally:
        watcher.kill()
    assert sent(orthanc) == 4 * STUDIES
    assert results(orthanc) == all_once(*map(image_uid, range(STUDIES)))
    log = watcher.log.read_text()
    assert PATIENT not in log
    errors = [line for line in log.splitlines() if line.startswith("error: ")]
    assert all("trying again in" in line for line in errors), errors
    assert "Traceback" not in log
