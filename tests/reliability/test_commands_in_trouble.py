import errno
import random
import signal
import sys
import time
from itertools import cycle

import pytest

from tests.reliability.cases import CASES
from tests.reliability.disturbed import Disturbance, find_compiler
from tests.reliability.trials import (
    Trials,
    assert_no_traceback,
    assert_success_or_one_line,
)

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux"),
    pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler"),
]
every_command = pytest.mark.parametrize("trials", CASES, indirect=True, scope="module")


def duration(trials: Trials) -> float:
    began = time.monotonic()
    assert trials.run().status == 0
    return time.monotonic() - began


@pytest.mark.slow
@every_command
def test_kill_at_every_change_of_a_file_leaves_the_old_or_the_new_output(trials, effort, problems):
    changes = trials.undisturbed.events
    points = effort.chosen(changes)
    assert points
    for number in points:
        with problems.at(f"killed at change {number} of {len(changes)}, {changes[number - 1]}"):
            outcome = trials.run(Disturbance(number))
            # Threads may make fewer changes than in the undisturbed command.
            assert outcome.status in (-signal.SIGKILL, 0), outcome.text
            trials.check()
    problems.assert_none()


@pytest.mark.slow
@every_command
def test_kill_at_random_moments_leaves_the_old_or_the_new_output(trials, effort, problems):
    chance, longest = random.Random(0), duration(trials)
    for seconds in (chance.uniform(0, longest) for _ in range(effort.moments)):
        with problems.at(f"killed after {seconds:.3f} of {longest:.3f} s"):
            trials.run(Disturbance(seconds=seconds))
            trials.check()
    problems.assert_none()


@pytest.mark.slow
@every_command
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_command_says_so_and_leaves_the_old_or_the_new_output(
    trials, number, status, effort, problems
):
    chance, longest = random.Random(0), duration(trials)
    moments = [
        Disturbance(point, number) for point in effort.some(trials.undisturbed.events, number)
    ]
    moments += [
        Disturbance(action=number, seconds=chance.uniform(0, longest)) for _ in range(effort.points)
    ]
    for moment in moments:
        with problems.at(str(moment)):
            outcome = trials.run(moment)
            # Once the command has ended, Python leaves signals to the system.
            assert outcome.status in (status, -number, 0), f"{outcome.status} {outcome.text}"
            assert_no_traceback(outcome)
            trials.check()
    problems.assert_none()


@pytest.mark.slow
@every_command
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_disk_that_gives_errors_is_one_line_and_leaves_the_old_or_the_new_output(
    trials, number, effort, problems
):
    changes = trials.undisturbed.events
    for point in effort.some(changes, number):
        with problems.at(f"{errno.errorcode[number]} from change {point}, {changes[point - 1]}"):
            assert_success_or_one_line(trials.run(Disturbance(point, -number)))
            trials.check()
    problems.assert_none()


@pytest.mark.slow
@every_command
def test_file_that_cannot_be_read_is_one_line(trials, effort, problems):
    reads = trials.run(Disturbance(reads=True)).events
    for point, number in zip(effort.chosen(reads), cycle((errno.EACCES, errno.EIO)), strict=False):
        with problems.at(f"{errno.errorcode[number]} for {reads[point - 1]}"):
            assert_success_or_one_line(trials.run(Disturbance(point, -number, reads=True)))
            trials.check()
    problems.assert_none()


@pytest.mark.parametrize("trials", ["import_scores"], indirect=True)
def test_commands_really_meet_what_they_are_to_meet(trials):
    changes = trials.undisturbed.events
    assert {change.split()[0] for change in changes} >= {"create", "write", "rename"}
    for number, change in enumerate(changes, start=1):
        assert trials.run(Disturbance(number)).status == -signal.SIGKILL, change
        trials.check()
    assert trials.run(Disturbance(1, signal.SIGTERM)).status == 143
    assert "No space left" in trials.run(Disturbance(1, -errno.ENOSPC)).text
    reads = trials.run(Disturbance(reads=True)).events
    point = 1 + reads.index("read /scores.csv")
    assert "Permission denied" in trials.run(Disturbance(point, -errno.EACCES, reads=True)).text
