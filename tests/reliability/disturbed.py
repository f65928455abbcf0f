"""Start commands that meet a signal or an error at a chosen change or read of a file."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from tests.support.paths import ROOT

_SOURCE = Path(__file__).with_name("intercept.c")
# Of programs for JAX: those of a tiny network compile too soon to be kept else.
_CACHE = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
# Random names, and those of synthetic radiographs.
_RANDOM = r"(?<=\.elbow-)\w+(?=\.partial)|(?<=\.tmp)\w+|(?<=/tmp)\w{8}|[0-9a-f]{6,}"
_VARIABLE = re.compile(rf"{_RANDOM}|p\d+_s\d+_\w+|\d+")


def find_compiler() -> str | None:
    """Return a C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc")


def compile_shim(folder: Path) -> Path:
    """Compile `intercept.c`; return the library."""
    library = folder / "intercept.so"
    options = ["-O1", "-shared", "-fPIC", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run([find_compiler() or "cc", *options], check=True)
    return library


@dataclass(frozen=True)
class Disturbance:
    """What a command meets.

    Attributes:
        at: at this change of a file below its folder, counted from 1; 0: at none.
        action: a signal, or the negative of an error number, which stays (a disk stays full).
        reads: whether ``at`` counts the files opened to be read instead.
        seconds: after this time instead.
    """

    at: int = 0
    action: int = signal.SIGKILL
    reads: bool = False
    seconds: float | None = None


NOTHING = Disturbance()


@dataclass(frozen=True)
class Outcome:
    """The end of a command: its exit status (negative: a signal), changes of files, and output."""

    status: int
    events: list[str]
    text: str


def distinct_points(events: Sequence[str]) -> list[int]:
    """Return the numbers, from 1, of one event of each kind and name, first or last in turn.

    Numbers and random parts of names count as equal, so that what is done for each checkpoint, each
    array and each piece of a file is one event.
    """
    positions: dict[str, list[int]] = {}
    for number, event in enumerate(events, start=1):
        positions.setdefault(_VARIABLE.sub("#", event), []).append(number)
    found = enumerate(positions.values())
    return sorted(numbers[-(kind % 2)] for kind, numbers in found)


class Command:
    """A command in a fork server; a context."""

    def __init__(self, module: str, library: Path, imported: str = "") -> None:
        self._output = library.with_name(f"output-{os.getpid()}.txt")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.fork_server", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | _CACHE | {"LD_PRELOAD": str(library), "IMPORTED": imported},
        )

    def __enter__(self) -> "Command":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def run(
        self, folder: Path, arguments: Sequence[str], disturbance: Disturbance = NOTHING
    ) -> Outcome:
        """Run the command in ``folder``."""
        request = {
            "folder": str(folder),
            "arguments": list(arguments),
            "output": str(self._output),
            **asdict(disturbance),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        text = self._output.read_text(errors="replace")
        return Outcome(answer["status"], answer["events"], text)
