"""The server's side of decoding: processes that are ended and replaced where a file is too much."""

import json
import multiprocessing
import queue
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from elbow_core.errors import MachineError
from elbow_core.printable import one_line
from elbow_core.processes import shielded_start
from elbow_core.radiographs import Preprocessing
from reading_room.decoding.worker import MEMORY, PICTURE, PREPARE, REFUSED, serve

MEMORY_BYTES = 1_700_000_000
"""Above what `elbow_core.radiographs.limits` lets a file take, and for both of its copies here."""
_SECONDS_TO_START = 60.0
_SECONDS_TO_END = 5.0
_HEADER_BYTES = 4096
_PICTURE_BYTES = 2**28
_VIEWS = ("ap", "lateral", "oblique")


class FileRefusedError(Exception):
    """A file that gives no radiograph; the text is the reason, in one line."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One radiograph as the networks take it, and what its tags say."""

    height: int
    """Of the radiograph, in its own pixels."""
    width: int
    study: str
    """A keyed digest of patient and study, other in every server; empty where unknown."""
    view: str
    """ap, lateral, oblique, or empty where unknown."""
    side: str
    """L, R, B, or empty where unknown."""
    inputs: Sequence[UInt8[np.ndarray, "_ _"]]
    """Preprocessed squares, one for each of the asked settings."""


class Decoders:
    """Processes that decode, for as many threads as there are processes.

    A context manager. A process that takes more than ``seconds`` for a file is killed, and one that
    dies is replaced; the file is then refused, and no other one is affected.

    Args:
        count: processes.
        seconds: for one file, from its bytes to its arrays.
        memory_bytes: address space for one file.
    """

    def __init__(self, count: int, seconds: float, memory_bytes: int = MEMORY_BYTES) -> None:
        self.count = count
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._key = secrets.token_bytes(32)
        self._free: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._running: set[_Process] = set()

    def __enter__(self) -> "Decoders":
        for process in [self._start() for _ in range(self.count)]:
            self._free.put(process)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for process in list(self._running):
            process.end()
        self._running.clear()

    def warm_up(self, settings: Sequence[Preprocessing]) -> None:
        """Wait until every process has imported its libraries and decoded an image."""
        image = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
        data = cv2.imencode(".png", image)[1].tobytes()
        for _ in range(self.count):  # They are taken in turns.
            self.prepare(data, settings)

    def prepare(self, data: bytes, settings: Sequence[Preprocessing]) -> Decoded:
        """Decode and preprocess a file for networks of these settings.

        Raises `FileRefusedError` for a file that gives no radiograph within the limits.
        """
        sizes = [each.size for each in settings]
        request = {"preprocessing": [each.model_dump() for each in settings]}
        header, parts = self._ask(PREPARE, request, data, [size * size for size in sizes])
        return Decoded(
            height=int(header["height"]),
            width=int(header["width"]),
            study=_hexadecimal(header["study"]),
            view=header["view"] if header["view"] in _VIEWS else "",
            side=header["side"] if header["side"] in ("L", "R", "B") else "",
            inputs=[
                np.frombuffer(part, np.uint8).reshape(size, size)
                for part, size in zip(parts, sizes, strict=True)
            ],
        )

    def picture(self, data: bytes) -> bytes:
        """Return the radiograph of a file as PNG: grey, 8 bits, upright; raises as `prepare`."""
        return self._ask(PICTURE, {}, data, [_PICTURE_BYTES])[1][0]

    def _ask(
        self, task: str, request: Mapping[str, Any], data: bytes, most_bytes: Sequence[int]
    ) -> tuple[dict[str, Any], list[bytes]]:
        process = self._free.get()
        try:
            if not process.is_alive():
                process.end()
                self._running.discard(process)
                process = self._start()
            header, parts = process.ask({"task": task, **request}, data, most_bytes, self._seconds)
        except _ProcessEndedError as ended:
            process.end()
            raise FileRefusedError(str(ended)) from ended
        finally:
            self._free.put(process)  # A dead one is replaced by whoever takes it next.
        if REFUSED in header:
            raise FileRefusedError(one_line(str(header[REFUSED]))[:300])
        if MEMORY in header:
            raise FileRefusedError("takes more memory to decode than this server gives a file")
        return header, parts

    def _start(self) -> "_Process":
        if self._ended.is_set():
            raise FileRefusedError("was not decoded: the server is stopping")
        process = _Process(self._key, self._memory_bytes)
        self._running.add(process)
        return process


class _ProcessEndedError(Exception):
    """A process that was killed or has died; the text is the reason to refuse its file."""


class _Process:
    """One process and the channel to it."""

    def __init__(self, study_key: bytes, memory_bytes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._channel: Connection
        self._channel, far_end = context.Pipe()
        self._process = context.Process(
            target=serve, args=(far_end, study_key, memory_bytes), daemon=True
        )
        try:
            with shielded_start():
                self._process.start()
        except OSError as error:
            raise MachineError(
                f"a process that decodes cannot be started ({error.strerror}); use fewer decoders"
            ) from error
        far_end.close()  # so that the channel ends with the process
        self._is_new = True

    def ask(
        self, request: Mapping[str, Any], data: bytes, most_bytes: Sequence[int], seconds: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Send a request and wait; return the header and the parts of the answer."""
        late = threading.Event()

        def end_late() -> None:
            late.set()
            self._process.kill()

        # The first request waits for the imports of the process too.
        timer = threading.Timer(seconds + self._is_new * _SECONDS_TO_START, end_late)
        timer.daemon = True
        timer.start()
        try:
            self._channel.send_bytes(json.dumps(request).encode())
            self._channel.send_bytes(data)
            header = json.loads(self._channel.recv_bytes(_HEADER_BYTES))
            parts = [self._channel.recv_bytes(most) for most in most_bytes[: int(header["parts"])]]
        except (EOFError, OSError, KeyError, TypeError, ValueError) as error:
            if _cancelled(timer, late):
                raise _ProcessEndedError(
                    "ends the process that decodes it; it is damaged, or takes too much memory"
                ) from error
        if not _cancelled(timer, late):
            raise _ProcessEndedError(f"takes more than {seconds:g} seconds to decode")
        self._is_new = False
        return header, parts

    def is_alive(self) -> bool:
        """Say whether the process runs."""
        return self._process.is_alive()

    def end(self) -> None:
        """Kill the process; it holds nothing that could be lost."""
        self._process.kill()
        self._process.join(_SECONDS_TO_END)
        self._channel.close()


def _cancelled(timer: threading.Timer, late: threading.Event) -> bool:
    """Stop a timer, and say whether it was in time."""
    timer.cancel()
    timer.join()
    return not late.is_set()


def _hexadecimal(text: Any) -> str:
    return text if isinstance(text, str) and set(text) <= set("0123456789abcdef") else ""
