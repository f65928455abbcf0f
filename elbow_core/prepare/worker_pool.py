"""Many processes, one order: results come as their items went in, and few wait in memory."""

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

_TASKS_IN_FLIGHT = 3  # For each process: one at work, one waiting, one being collected.


class WorkerPool:
    """Processes that map a function over items; with 0 workers, this process does it itself.

    A context manager. The processes are spawned, so that no thread or lock of this one is copied
    half-way, and each runs OpenCV on one thread.
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
        """Yield ``function(item)`` in the order of the items, reading them as results are taken.

        ``batch`` items are sent at a time: to send them costs as much as a small item's work.
        ``function`` must be picklable. Raises what it raises, and `UserError` where a process dies.
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
                "a worker process died, most likely for want of memory; give fewer workers"
            ) from error


def _map_batch(function: Callable[[Item], Result], batch: tuple[Item, ...]) -> list[Result]:
    return [function(item) for item in batch]


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C reaches the whole group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End with the parent, which, killed outright, cannot end its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
