"""A process pool that yields results in order and reads few items ahead."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

import cv2

from elbow_core.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

_TASKS_IN_FLIGHT = 3  # Per process: one running, one queued, one being collected.


class WorkerPool:
    """Processes that map a function over items; with 0 workers, the main process does the work.

    A context manager. The processes are spawned, since a fork would copy locks without their
    threads. Each runs OpenCV on one thread.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> "WorkerPool":
        if self._workers:
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self._workers, context, _start_worker)
        return self

    def __exit__(self, *_: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], batch: int = 4
    ) -> Iterator[Result]:
        """Yield ``function(item)`` in the order of the items, which are read as results are taken.

        ``batch`` items are sent at a time, since sending costs as much as processing a small item.
        ``function`` must be picklable; its exceptions propagate. Raises `UserError` if a process
        dies.
        """
        if self._executor is None:
            yield from map(function, items)
            return
        running: deque[Future[list[Result]]] = deque()
        try:
            remaining = iter(items)
            while sent := tuple(islice(remaining, batch)):
                running.append(self._executor.submit(_map_batch, function, sent))
                if len(running) >= self._workers * _TASKS_IN_FLIGHT:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        except BrokenProcessPool as error:
            raise UserError(
                "a worker process died, probably out of memory; use fewer workers"
            ) from error


def _map_batch(function: Callable[[Item], Result], batch: tuple[Item, ...]) -> list[Result]:
    return [function(item) for item in batch]


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches every process of the group; only the parent handles it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Exit when the parent has ended: a killed parent cannot stop its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
