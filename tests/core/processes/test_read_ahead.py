"""Items read ahead in worker processes: their order, their errors, and the end of the processes."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from elbow_core.errors import ArchiveError, UserError
from elbow_core.processes.read_ahead import ReadAhead
from tests.support.namespaces import (
    READ_ONLY_SHARED_MEMORY,
    SMALL_SHARED_MEMORY,
    run_in_namespace,
)
from tests.support.paths import ROOT
from tests.support.processes import assert_gone, is_alive, linux


class Items:
    """Twenty dicts of arrays; some of them fail."""

    def __init__(self, failing: dict[int, str] | None = None) -> None:
        self.failing = failing or {}

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        match self.failing.get(index):
            case "damaged":
                raise ArchiveError("data: is damaged")
            case "wrong":
                raise ValueError("index is wrong")
            case "local":

                class LocalError(Exception):
                    """Cannot be sent to another process."""

                raise LocalError("cannot be sent")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        return {
            "image": np.full((3, 5, 1), index, np.uint8),
            "transposed": np.arange(6, dtype=np.float64).reshape(2, 3).T + index,
            "none": np.zeros((0, 4), np.int32),
        }


def indices(iterator: ReadAhead, count: int) -> list[int]:
    return [int(next(iterator)["image"][0, 0, 0]) for _ in range(count)]


@pytest.mark.parametrize("workers", [1, 3])
def test_items_come_in_order_and_end(workers):
    items = Items()
    found = list(ReadAhead(items, workers))
    assert len(found) == len(items)
    for index, arrays in enumerate(found):
        for name, array in items[index].items():
            np.testing.assert_array_equal(arrays[name], array)
            assert arrays[name].dtype == array.dtype
            assert arrays[name].ctypes.data % 64 == 0


def test_state_is_a_position_for_any_number_of_workers():
    iterator = ReadAhead(Items(), 2)
    assert iterator.get_state() == {"next_index": 0}
    assert indices(iterator, 5) == [0, 1, 2, 3, 4]
    state = iterator.get_state()
    iterator.close()
    resumed = ReadAhead(Items(), 3)
    resumed.set_state(state)
    assert indices(resumed, 3) == [5, 6, 7]
    resumed.set_state({"next_index": 1})
    assert indices(resumed, 2) == [1, 2]
    resumed.close()


def test_arrays_outlive_the_processes_and_can_be_written():
    iterator = ReadAhead(Items(), 1)
    arrays = [next(iterator) for _ in range(3)]
    iterator.close()
    arrays[0]["image"][:] = 9
    assert [int(array["image"].max()) for array in arrays] == [9, 1, 2]


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("damaged", ArchiveError, "data: is damaged"),
        ("wrong", ValueError, "index is wrong"),
        ("local", RuntimeError, "LocalError"),
    ],
)
def test_error_of_an_item_is_raised_at_its_position(kind, error, message):
    iterator = ReadAhead(Items({4: kind}), 2)
    assert indices(iterator, 4) == [0, 1, 2, 3]
    with pytest.raises(error, match=message):
        next(iterator)
    iterator.close()


def test_process_that_dies_is_named_with_its_signal():
    iterator = ReadAhead(Items({2: "killed"}), 2)
    assert indices(iterator, 2) == [0, 1]
    with pytest.raises(UserError, match=r"died \(SIGKILL\), probably out of memory; use fewer"):
        next(iterator)
    iterator.close()


def test_processes_end_with_the_iterator():
    iterator = ReadAhead(Items(), 2)
    next(iterator)
    processes = iterator._processes
    del iterator
    assert not any(process.is_alive() for process in processes)


READER = f"""
import json, sys, time
import numpy as np
sys.path.insert(0, {str(ROOT)!r})
from elbow_core.processes.read_ahead import ReadAhead

class Stalled:
    def __len__(self):
        return 1000
    def __getitem__(self, index):
        time.sleep(0 if index < 4 else 60)
        return {{"image": np.zeros((1000, 1000), np.uint8)}}

if __name__ == "__main__":
    iterator = ReadAhead(Stalled(), 2)
    next(iterator)
    print(json.dumps([process.pid for process in iterator._processes]), flush=True)
    if "wait" in sys.argv:
        for _ in iterator:
            pass
"""


@pytest.fixture
def reader(tmp_path):
    """Start a process that reads ahead, in a session of its own; return it and its workers."""
    started: list[subprocess.Popen[str]] = []
    script = tmp_path / "reader.py"
    script.write_text(READER)

    def start(*arguments: str) -> tuple[subprocess.Popen[str], list[int]]:
        process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        return process, json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


@linux
@pytest.mark.parametrize("end", ["kill", "kill the group"])
def test_killed_reader_leaves_no_process(reader, end):
    process, workers = reader("wait")
    time.sleep(0.3)  # the workers are stalled
    if end == "kill":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert_gone(workers)


@linux
def test_signals_to_the_group_leave_workers_to_their_parent(reader):
    process, workers = reader("wait")
    for number in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM):
        for pid in workers:
            os.kill(pid, number)
    time.sleep(0.5)
    assert all(is_alive(pid) for pid in workers)
    process.kill()
    assert_gone(workers)


@linux
def test_end_of_the_program_does_not_wait_for_stalled_workers(reader):
    started = time.monotonic()
    process, workers = reader()
    assert process.wait(timeout=30) == 0
    assert time.monotonic() - started < 20
    assert_gone(workers)


@linux
@pytest.mark.parametrize(
    "mount", [SMALL_SHARED_MEMORY, READ_ONLY_SHARED_MEMORY], ids=["small", "read-only"]
)
def test_no_shared_memory_is_used_that_a_kill_could_leave(tmp_path, mount):
    done = run_in_namespace(mount, tmp_path, READER)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
