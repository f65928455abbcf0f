import os
import signal
import time
from collections.abc import Iterator

import cv2
import pytest

from elbow_core.errors import MachineError, UserError
from elbow_core.processes.interruption import Interrupted
from elbow_core.processes.worker_pool import WorkerPool
from tests.support.namespaces import (
    READ_ONLY_SHARED_MEMORY,
    SMALL_SHARED_MEMORY,
    run_in_namespace,
)


def square(number: int) -> int:
    return number * number


def fail_at_7(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return number


def die(number: int) -> int:
    os._exit(number)


def wait_a_minute(_: int) -> None:
    time.sleep(60)


def survive_signals(number: int) -> int:
    """Send this process the signals that its parent heeds."""
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGXCPU"):
        os.kill(os.getpid(), getattr(signal, name))
    time.sleep(0.1)
    return number


def threads_and_process(_: int) -> tuple[int, int]:
    return cv2.getNumThreads(), os.getpid()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(workers):
    with WorkerPool(workers) as pool:
        assert list(pool.map(square, range(101))) == [number * number for number in range(101)]
        assert list(pool.map(square, [])) == []


@pytest.mark.parametrize("workers", [0, 2])
def test_few_items_are_read_ahead_of_the_results(workers):
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1000):
            taken = number
            yield number

    with WorkerPool(workers) as pool:
        for done, _ in enumerate(pool.map(square, items())):
            assert taken - done < 40


@pytest.mark.parametrize("workers", [0, 2])
def test_error_of_an_item_is_raised_at_its_position(workers):
    with WorkerPool(workers) as pool:
        results = pool.map(fail_at_7, range(100))
        assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
        with pytest.raises(ValueError, match="seven"):
            list(results)


def test_killed_process_is_an_error_that_says_what_to_do():
    with WorkerPool(1) as pool, pytest.raises(UserError, match="use fewer workers"):
        list(pool.map(die, range(1, 5)))


def test_each_process_runs_opencv_on_one_thread():
    with WorkerPool(1) as pool:
        ((threads, process),) = set(pool.map(threads_and_process, range(4)))
    assert threads == 1
    assert process != os.getpid()


def test_early_end_of_the_loop_ends_the_processes():
    with WorkerPool(2) as pool:
        for number in pool.map(square, range(10_000)):
            if number > 100:
                break


def test_signals_to_the_group_leave_processes_to_their_parent():
    with WorkerPool(2) as pool:
        assert list(pool.map(survive_signals, range(8))) == list(range(8))


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interrupted(signal.SIGTERM)])
def test_signal_does_not_wait_for_running_tasks(error):
    started = time.monotonic()

    def stop_while_a_task_runs() -> None:
        with WorkerPool(1) as pool:
            assert list(pool.map(square, [3])) == [9]
            assert pool._executor is not None
            pool._executor.submit(wait_a_minute, 0)
            raise error

    with pytest.raises((KeyboardInterrupt, Interrupted)):
        stop_while_a_task_runs()
    assert time.monotonic() - started < 30


USE_POOL = """
import sys
from elbow_core import cli
from elbow_core.processes.worker_pool import WorkerPool
def main(_):
    with WorkerPool(1) as pool:
        print(list(pool.map(abs, [-3])))
    return 0
if __name__ == "__main__":
    cli.run(main)
"""


@pytest.mark.parametrize(
    ("mount", "error"),
    [
        (SMALL_SHARED_MEMORY, ""),
        (READ_ONLY_SHARED_MEMORY, "error: worker processes cannot be used (Read-only file system)"),
    ],
    ids=["small", "read-only"],
)
def test_small_shared_memory_suffices_and_none_is_one_line(tmp_path, mount, error):
    done = run_in_namespace(mount, tmp_path, USE_POOL)
    assert done.stderr.startswith(error)
    assert len(done.stderr.splitlines()) == bool(error)
    assert (done.returncode, done.stdout) == ((2, "") if error else (0, "[3]\n"))


def run_out_of_memory(_: int) -> None:
    raise MemoryError


@pytest.mark.parametrize("workers", [0, 1])
def test_short_memory_in_a_task_is_the_machines_trouble(workers):
    with WorkerPool(workers) as pool, pytest.raises(MachineError, match="not enough memory; use"):
        list(pool.map(run_out_of_memory, [1]))
