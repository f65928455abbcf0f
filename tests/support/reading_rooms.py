"""A reading room that runs in a process of its own, as the command starts it, and its clients."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import NOTHING_SEEN
from elbow_core.sources.synthetic import render_radiograph
from elbow_jax.scoring import GateRecord, freeze_abstention, read_released, write_released
from tests.support.abstention_data import record
from tests.support.paths import ROOT
from tests.support.tiny_images import encode

FILE = {"Content-Type": "application/octet-stream"}
PATIENCE = 600.0
"""Seconds for a start, on a machine with other work."""


def radiograph(seed: int, view: str = "ap", finding: str = "normal") -> bytes:
    """Return a synthetic elbow as PNG."""
    rng = np.random.default_rng(seed)
    return encode(render_radiograph(rng, view, finding, 200, "elbow").pixels)


def write_model(folder: Path, normal_below: float = 0.24, injury_from: float = 0.55) -> Path:
    """Write the shipped small MobileNetV3 with an input gate and two thresholds.

    The gate judges the step between neighbouring pixels alone: noise is unlike.
    """
    shipped = ROOT / "elbow_jax/weights/mobilenetv3_large_small"
    released = read_released(shipped)
    width = released.variables["params"]["head"]["kernel"].shape[0]
    gate = {
        "features": _statistics(np.zeros(width)),
        "grey_levels": _statistics(np.array([0.0, 0.0, 5.0])),
    }
    names = ("architecture", "preprocessing", "thresholds", "labels", "validation", "step")
    model = folder / "elbows/model"
    model.parent.mkdir(parents=True)
    write_released(
        model,
        released.variables,
        NOTHING_SEEN,
        gate,
        gate=GateRecord(distance="mahalanobis", false_alarms=0.05, images=100),
        **{name: getattr(released.card, name) for name in names},
    )
    freeze_abstention(model, record(normal_below, injury_from))
    return model


def _statistics(scale: np.ndarray) -> dict[str, np.ndarray]:
    means = np.zeros((2, scale.size), np.float32)
    return {"means": means, "whitening": np.diag(scale).astype(np.float32)}


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = FILE,
        method: str | None = None,
    ) -> Answer:
        method = method or ("GET" if body is None else "POST")
        self._connection.request(method, path, body, dict(headers) if body is not None else {})
        response = self._connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())

    def insist(self, path: str, body: bytes) -> tuple[Answer, int]:
        """Ask until the server is not busy; return the answer and how often it was."""
        busy = 0
        while (answer := self.ask(path, body)).status == 503:
            assert answer.headers["retry-after"] == "1"
            busy += 1
            time.sleep(0.05)
        return answer, busy

    def close(self) -> None:
        self._connection.close()


class Room:
    """A running server."""

    def __init__(self, models: Sequence[Path], *options: str, home: Path | None = None) -> None:
        command = [sys.executable, "-m", "reading_room", "--port", "0", *options]
        for model in models:
            command += ["--model", str(model)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        if home is not None:
            environment |= {"HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=home or ROOT,
            env=environment,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        ]
        for thread in self._threads:
            thread.start()
        ended = time.monotonic() + PATIENCE
        while not self.lines:
            assert self.process.poll() is None, self.errors
            assert time.monotonic() < ended
            time.sleep(0.05)
        self.url = self.lines[0].split()[-1]
        self.port = int(self.url.partition("#")[0].rstrip("/").rpartition(":")[2])

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line)  # noqa: PERF402 seen as they come

    def client(self) -> Client:
        return Client(self.port)

    def end(self, number: int = signal.SIGKILL) -> tuple[int, str]:
        """Send a signal; return the exit status, and what was printed on standard error."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return status, "".join(self.errors)


def memory_of(pids: Sequence[int]) -> int:
    """Return the resident memory of processes, in bytes (on Linux)."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total
