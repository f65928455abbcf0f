import os
from collections.abc import Iterator

import cv2
import pytest

from elbow_core.errors import UserError
from elbow_core.prepare.worker_pool import WorkerPool


def square(number: int) -> int:
    return number * number


def fail_at_7(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return number


def die(number: int) -> int:
    os._exit(number)


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
