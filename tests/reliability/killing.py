"""Start commands that can be killed at a chosen change of a file."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.paths import ROOT

SOURCE = Path(__file__).with_name("kill_points.c")
_VARIABLE = re.compile(r"[0-9a-f]{6,}|\d+|(?<=\.tmp)\w+|(?<=\.)\w{8}(?=\.partial)")


def find_compiler() -> str | None:
    """Return a C compiler, or None."""
    return shutil.which("cc") or shutil.which("gcc")


def compile_shim(folder: Path) -> Path:
    """Compile `kill_points.c`; return the library."""
    library = folder / "kill_points.so"
    options = ["-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run([find_compiler() or "cc", *options], check=True)
    return library


@dataclass(frozen=True)
class Outcome:
    """The end of a command: its exit status (negative: a signal), changes of files, and output."""

    status: int
    changes: list[str]
    text: str


def kill_points(changes: Sequence[str]) -> list[int]:
    """Return the numbers, from 1, of the first and the last change of each kind and name.

    Numbers and random parts of names count as equal, so that what is done for each checkpoint, each
    array and each piece of a file is one change.
    """
    positions: dict[str, list[int]] = {}
    for number, change in enumerate(changes, start=1):
        positions.setdefault(_VARIABLE.sub("#", change), []).append(number)
    return sorted({number for found in positions.values() for number in (found[0], found[-1])})


class Command:
    """A command in a fork server; a context."""

    def __init__(self, module: str, library: Path, imported: str = "", **environment: str) -> None:
        self._output = library.with_name(f"output-{os.getpid()}.txt")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.fork_server", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"LD_PRELOAD": str(library), "IMPORTED": imported} | environment,
        )

    def __enter__(self) -> "Command":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def run(
        self, folder: Path, arguments: list[str], at: int = 0, seconds: float | None = None
    ) -> Outcome:
        """Run the command in ``folder``.

        It is killed at its change number ``at`` of a file below the folder, or after ``seconds``.
        """
        request: dict[str, Any] = {
            "arguments": arguments,
            "folder": str(folder),
            "output": str(self._output),
            "at": at,
            "seconds": seconds,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        text = self._output.read_text(errors="replace")
        return Outcome(answer["status"], answer["changes"], text)
