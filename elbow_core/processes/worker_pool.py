"""A process pool that yields results in order and reads few items ahead."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, TypeVar

import cv2

from elbow_core.errors import MachineError, UserError
from elbow_core.processes.worker_processes import follow_parent, shielded_start, worker_death

Item = TypeVar("Item")
Result = TypeVar("Result")

_SECONDS_TO_END = 5.0
_TASKS_IN_FLIGHT = 3  # Per process: one running, one queued, one being collected.


class WorkerPool:
    """Processes that map a function over items; with 0 workers, the main process does the work.

    A context manager. The processes are spawned, since a fork would copy locks without their
    threads. Each runs OpenCV on one thread. They ignore signals and end with the main process.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> "WorkerPool":
        if self._workers:
            context = multiprocessing.get_context("spawn")
            try:
                with shielded_start():  # the executor's queues start a tracker process
                    self._executor = ProcessPoolExecutor(self._workers, context, _start_worker)
            except OSError as error:  # the queues are named semaphores
                raise UserError(
                    f"worker processes cannot be used ({error.strerror}); mount /dev/shm so that "
                    "it can be written, or set workers: 0"
                ) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._executor is None:
            return
        if kind is not None and not issubclass(kind, Exception):
            self._kill_processes()  # A signal: the scheduler does not wait for running tasks.
        self._executor.shutdown(cancel_futures=True)

    def _kill_processes(self) -> None:
        # Python 3.14 has kill_workers.
        assert self._executor is not None
        for process in list((self._executor._processes or {}).values()):
            process.kill()
            process.join(_SECONDS_TO_END)

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], batch: int = 4
    ) -> Iterator[Result]:
        """Yield ``function(item)`` in the order of the items, which are read as results are taken.

        ``batch`` items are sent at a time, since sending costs as much as processing a small item.
        ``function`` must be picklable; its exceptions propagate. Raises `UserError` if a process
        dies, and `MachineError` if it cannot be started or memory is short, here or there.
        """
        try:
            yield from self._map(function, items, batch)
        except MemoryError as error:
            raise MachineError(
                "not enough memory; use fewer workers, or a machine with more"
            ) from error

    def _map(
        self, function: Callable[[Item], Result], items: Iterable[Item], batch: int
    ) -> Iterator[Result]:
        if self._executor is None:
            yield from map(function, items)
            return
        running: deque[Future[list[Result]]] = deque()
        try:
            remaining = iter(items)
            while sent := tuple(islice(remaining, batch)):
                running.append(self._submit(_map_batch, function, sent))
                if len(running) >= self._workers * _TASKS_IN_FLIGHT:
                    yield from running.popleft().result()
            while running:
                yield from running.popleft().result()
        except BrokenProcessPool as error:
            raise worker_death(None) from error

    def _submit(self, *task: Any) -> Future[Any]:
        assert self._executor is not None
        try:
            with shielded_start():
                return self._executor.submit(*task)
        except BrokenProcessPool:
            raise
        except (OSError, RuntimeError) as error:  # "can't start new thread"
            self._kill_processes()
            self._executor = None  # Without its thread, it cannot be shut down.
            reason = error.strerror if isinstance(error, OSError) else error
            raise MachineError(
                f"worker processes cannot be started ({reason}); use fewer workers, or allow more "
                "memory (ulimit -v) or processes (ulimit -u)"
            ) from error


def _map_batch(function: Callable[[Item], Result], batch: tuple[Item, ...]) -> list[Result]:
    return [function(item) for item in batch]


def _start_worker() -> None:
    cv2.setNumThreads(1)
    follow_parent()
