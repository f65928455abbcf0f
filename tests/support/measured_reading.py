"""Read files in a process of its own, and measure what each costs.

Run as a program, it reads from standard input: the length of a file, the memory that it may take,
and its bytes. It answers each with a line of JSON.
"""

import json
import random
import re
import resource
import struct
import subprocess
import sys
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tests.support.paths import ROOT

MAX_SECONDS = 5.0
"""Of processor time, for one file."""
MAX_BYTES = 1_500_000_000
"""Resident memory of the process, at most, while it reads a file."""
_ADDRESS_SPACE = 4 * 2**30
_JPEG_FRAME = re.compile(rb"(\xff[\xc0-\xc3]\0[\x0b\x11\x14][\x08-\x10])....", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of a file, and its cost."""

    outcome: str
    """ "image", the refusal without the file's name, or the type of another exception."""
    seconds: float
    peak: int
    """Bytes."""

    @property
    def is_fair(self) -> bool:
        """Whether the file is an image or refused by name, within both limits."""
        named = self.outcome == "image" or self.outcome.startswith("refused: ")
        return named and self.seconds <= MAX_SECONDS and self.peak <= MAX_BYTES


class Reader:
    """A process that reads one file after another; a context manager."""

    def __enter__(self) -> "Reader":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.measured_reading"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def read(self, data: bytes, headroom: int = 0) -> Reading:
        """Return what the process answers; a process that dies has no outcome.

        ``headroom`` is the number of bytes that the process may have beside what it has now.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(struct.pack("<QQ", len(data), headroom) + data)
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            return Reading(f"the process died: {self._process.wait()}", 0.0, 0)
        return Reading(**json.loads(answer))


def change(data: bytes, seed: int) -> bytes:
    """Return a file with up to six random changes; one in thirty gets another size throughout."""
    rng = random.Random(seed)
    if rng.random() < 1 / 30:
        return _with_size(data, *(round(32 * 400 ** rng.random()) for _ in range(2)))
    for _ in range(rng.randint(1, 6)):
        start = rng.randint(0, len(data))
        length = rng.choice((1, 2, 4, 8, rng.randint(1, 300)))
        extreme = rng.choice((b"\xff", b"\0", b"\x7f", b"\x80", b"\1")) * length
        match rng.choice(("extreme", "random", "insert", "remove", "repeat", "cut")):
            case "extreme":
                data = data[:start] + extreme[:8] + data[start + len(extreme[:8]) :]
            case "random":
                noise = rng.randbytes(min(length, 8))
                data = data[:start] + noise + data[start + len(noise) :]
            case "insert":
                data = data[:start] + rng.choice((extreme, rng.randbytes(length))) + data[start:]
            case "remove":
                data = data[:start] + data[start + length :]
            case "repeat":
                data = data[: start + length] + data[start:]
            case _:
                data = data[:start] if rng.random() < 0.3 else data
    return data


def _with_size(data: bytes, height: int, width: int) -> bytes:
    """Return one of `hostile_files.small_files` with another size in all of its headers."""
    jpeg_size = struct.pack(">HH", height, width)
    data = _JPEG_FRAME.sub(lambda frame: frame[1] + jpeg_size, data)
    # PNG, and the image and the tiles of JPEG 2000.
    data = data.replace(struct.pack(">II", 40, 48), struct.pack(">II", width, height))
    data = data.replace(struct.pack(">II", 48, 40), struct.pack(">II", height, width))
    for tag, size in ((b"\x28\0\x10\0US\2\0", height), (b"\x28\0\x11\0US\2\0", width)):
        at = data.find(tag)
        if at >= 0:
            data = data[: at + 8] + struct.pack("<H", size) + data[at + 10 :]
    if data.startswith(b"\x89PNG"):
        data = data[:29] + struct.pack(">I", zlib.crc32(data[12:29])) + data[33:]
    return data


def _measure(data: bytes) -> Reading:
    from elbow_core.errors import RadiographError
    from elbow_core.radiographs import decode_radiograph

    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from now on
    started = time.process_time()
    try:
        image = decode_radiograph(data, "x")
        outcome = "image" if image.ndim == 2 and image.dtype == "uint8" else "no image"
    except RadiographError as error:
        is_named = str(error).startswith("x: ") and "\n" not in str(error)
        outcome = f"refused: {str(error)[3:]}" if is_named else f"unnamed: {error}"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - started
    status = Path("/proc/self/status").read_text()
    peak = 1024 * int(status.partition("VmHWM:")[2].split()[0])
    return Reading(outcome, seconds, peak)


def _answer(requests: IO[bytes], answers: IO[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    while header := requests.read(16):
        length, headroom = struct.unpack("<QQ", header)
        data = requests.read(length)
        if headroom:
            in_use = int(Path("/proc/self/status").read_text().partition("VmSize:")[2].split()[0])
            limit = in_use * 1024 + headroom
            resource.setrlimit(resource.RLIMIT_AS, (limit, _ADDRESS_SPACE))
        reading = _measure(data)
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
        answers.write(json.dumps(asdict(reading)) + "\n")
        answers.flush()


if __name__ == "__main__":
    _answer(sys.stdin.buffer, sys.stdout)
