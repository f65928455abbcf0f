"""Compare a disturbed command with an undisturbed one."""

import hashlib
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.reliability.cases import KEPT, Case
from tests.reliability.disturbed import NOTHING, Command, Disturbance, Outcome, distinct_points


class Trials:
    """Runs of one command in copies of one folder, against an undisturbed one."""

    def __init__(self, case: Case, folder: Path, command: Command) -> None:
        self.case = case
        self.command = command
        self.folder = folder / "trial"
        self._before = folder / "before"
        self._after = folder / "after"
        case.write_folder(self._before)
        self.undisturbed = self.run()
        assert self.undisturbed.status == 0, self.undisturbed.text
        shutil.copytree(self.folder, self._after, symlinks=True)
        for name in case.outputs:
            assert digest(self._after / name) != digest(self._before / name), f"{name}: not written"

    def new_folder(self) -> Path:
        """Make a new copy of the command's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._before, self.folder, symlinks=True)
        return self.folder

    def run(self, disturbance: Disturbance = NOTHING) -> Outcome:
        """Run the command in a new copy of its folder."""
        return self.command.run(self.new_folder(), self.case.arguments, disturbance)

    def check(self) -> None:
        """Check what a command has left, and that repeating it gives the same results."""
        assert (self.folder / KEPT).read_text() == "mine"
        complete = []
        for name in self.case.outputs:
            found = digest(self.folder / name)
            old, new = digest(self._before / name), digest(self._after / name)
            assert found in (old, new), f"{name} is neither the old nor the new one"
            complete.append(found == new)
        if not all(complete):
            again = self.command.run(self.folder, self.case.arguments)
            assert again.status == 0, f"again: {again.text}"
        for name in (*self.case.outputs, *self.case.results):
            assert digest(self.folder / name) == digest(self._after / name), f"{name} differs"
        if not all(complete):
            left = set(names_of(self.folder)) ^ set(names_of(self._after))
            assert not left, f"leftovers: {left}"


@dataclass(frozen=True)
class Effort:
    """How many attacks of each kind are tried on a command.

    Attributes:
        moments: kills at random moments.
        points: changes of a file that meet one signal or one error.
        changes: the most changes that are killed, and files that are not read; None: all.
    """

    moments: int = 30
    points: int = 8
    changes: int | None = None

    def chosen(self, events: Sequence[str]) -> list[int]:
        """Return distinct points of some events: all of them, or a random sample."""
        points = distinct_points(events)
        if self.changes is None or len(points) <= self.changes:
            return points
        return sorted(random.Random(1).sample(points, self.changes))

    def some(self, events: Sequence[str], number: int) -> list[int]:
        """Return points for a signal or an error; those of another number differ."""
        points = self.chosen(events)
        step = max(1, len(points) // self.points)
        return points[number % step :: step]


class Problems:
    """Failed checks of many trials, which are all made before the test fails."""

    def __init__(self) -> None:
        self.tried = 0
        self._found: list[str] = []

    @property
    def held(self) -> int:
        """The number of trials without a failed check."""
        return self.tried - len(self._found)

    @contextmanager
    def at(self, moment: str) -> Iterator[None]:
        """A context for the checks of one trial."""
        self.tried += 1
        try:
            yield
        except AssertionError as error:
            self._found.append(f"{moment}: {str(error)[:800]}")

    def assert_none(self) -> None:
        """Fail with all problems, if there are any."""
        assert not self._found, "\n\n".join(self._found)


def digest(path: Path) -> str:
    """Return a digest of a file, or of all names and files of a folder; empty if it is absent."""
    if not path.exists():
        return ""
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    whole = hashlib.sha256()
    for file in files:
        content = file.read_bytes() if file.is_file() else b""
        whole.update(f"{file.relative_to(path)} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def names_of(folder: Path) -> list[str]:
    """Return all names below a folder, except those in checkpoints, which may be random."""
    names = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return sorted(name for name in names if "checkpoints/" not in name)


def assert_success_or_one_line(outcome: Outcome) -> None:
    """Check that a command ended with status 0, or with 2 and one line for the error."""
    assert_no_traceback(outcome)
    errors = [line for line in outcome.text.splitlines() if line.startswith("error: ")]
    assert (outcome.status, len(errors)) in ((0, 0), (2, 1)), f"{outcome.status} {outcome.text}"


def assert_no_traceback(outcome: Outcome) -> None:
    """Check that nothing of the program's inside was printed."""
    for words in ("Traceback", "Exception ignored", "Error in atexit"):
        assert words not in outcome.text, outcome.text[-2000:]
