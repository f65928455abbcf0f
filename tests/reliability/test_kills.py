import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.reliability.commands import CASES, KEPT, Case, digest
from tests.reliability.killing import Command, Outcome, compile_shim, find_compiler, kill_points

MOMENTS = 30

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux"),
    pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler"),
]


class Trials:
    """Trials of one command in copies of one folder, against an unbroken command."""

    def __init__(self, case: Case, folder: Path, command: Command) -> None:
        self.case = case
        self.command = command
        self.folder = folder / "trial"
        self._before = folder / "before"
        self._after = folder / "after"
        case.write_folder(self._before)
        self.unbroken = self.run()
        assert self.unbroken.status == 0, self.unbroken.text
        shutil.copytree(self.folder, self._after, symlinks=True)
        for name in case.outputs:
            assert digest(self._after / name) != digest(self._before / name), f"{name}: not written"

    def run(self, at: int = 0, seconds: float | None = None) -> Outcome:
        """Run the command in a new copy of the folder; kill it at a change, or after a time."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self._before, self.folder, symlinks=True)
        return self.command.run(self.folder, self.case.arguments, at, seconds)

    def check(self, moment: str) -> None:
        """Check what a killed command has left, and that repeating it gives the same results."""
        assert (self.folder / KEPT).read_text() == "mine"
        complete = []
        for name in self.case.outputs:
            found = digest(self.folder / name)
            old, new = digest(self._before / name), digest(self._after / name)
            assert found in (old, new), f"{moment}: {name} is neither the old nor the new one"
            complete.append(found == new)
        if not all(complete):
            again = self.command.run(self.folder, list(self.case.again) or self.case.arguments)
            assert again.status == 0, f"{moment}: {again.text}"
        for name in (*self.case.outputs, *self.case.results):
            assert digest(self.folder / name) == digest(self._after / name), f"{moment}: {name}"
        if not all(complete):
            assert names_of(self.folder) == names_of(self._after), f"{moment}: leftovers"


def names_of(folder: Path) -> list[str]:
    """Return all names below a folder, except those in checkpoints, which may be random."""
    names = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return sorted(name for name in names if "checkpoints/" not in name)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return compile_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def trials(library, tmp_path, request):
    case = CASES[request.param]
    with Command(case.module, library, case.imported) as command:
        yield Trials(case, tmp_path, command)


@pytest.mark.slow
@pytest.mark.parametrize("trials", CASES, indirect=True)
def test_kill_at_every_change_of_a_file_leaves_the_old_or_the_new_output(trials, record_property):
    changes = trials.unbroken.changes
    points = kill_points(changes)
    record_property("kills", len(points))
    assert points
    for number in points:
        change = changes[number - 1]
        killed = trials.run(at=number)
        # Threads may make fewer changes than in the unbroken command.
        assert killed.status in (-signal.SIGKILL, 0), f"{change}: {killed.text}"
        trials.check(f"killed at change {number} of {len(changes)}, {change}")


@pytest.mark.slow
@pytest.mark.parametrize("trials", CASES, indirect=True)
def test_kill_at_random_moments_leaves_the_old_or_the_new_output(trials):
    began = time.monotonic()
    assert trials.run().status == 0
    duration = time.monotonic() - began
    chance = random.Random(0)
    for seconds in (chance.uniform(0, duration) for _ in range(MOMENTS)):
        trials.run(seconds=seconds)
        trials.check(f"killed after {seconds:.3f} of {duration:.3f} s")


@pytest.mark.parametrize("trials", ["import_scores"], indirect=True)
def test_kill_at_a_change_of_a_file_is_made(trials):
    changes = trials.unbroken.changes
    assert [change for change in changes if change.startswith("rename")]
    for number, change in enumerate(changes, start=1):
        assert trials.run(at=number).status == -signal.SIGKILL, change
        trials.check(change)
