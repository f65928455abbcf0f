"""Items of a sequence, read ahead in worker processes and returned in order.

Arrays come in anonymous memory, which the system frees with its last user: a killed reader leaves
nothing in /dev/shm, and a small /dev/shm (64 MiB in a container) does not matter.
"""

import contextlib
import mmap
import multiprocessing
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping
from multiprocessing import reduction, util
from multiprocessing.connection import Connection
from typing import IO, Any, Protocol, runtime_checkable

import numpy as np

from elbow_core.errors import UserError
from elbow_core.processes.worker_processes import follow_parent, shielded_start, worker_death

_REQUESTS = 3  # Per worker: one being read, the others finished and waiting.
_ALIGNMENT = 64
_SECONDS_TO_END = 5.0

Arrays = dict[str, np.ndarray]
Layout = list[tuple[str, tuple[int, ...], np.dtype, int]]


@runtime_checkable
class Items(Protocol):
    """A picklable sequence of dicts of arrays; an item depends on its index alone."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Mapping[str, np.ndarray]: ...


class ReadAhead:
    """An iterator over items that worker processes read; the result does not depend on them.

    The processes start with the first item. They end with `close`, when the iterator is deleted or
    when this process ends, however it ends.

    Args:
        items: read in the workers.
        workers: processes, at least 1.
    """

    def __init__(self, items: Items, workers: int) -> None:
        self._items = items
        self._workers = workers
        self._next = 0
        self._first = 0
        self._channels: list[Connection] = []
        self._processes: list[Any] = []
        self._end: Callable[[], Any] = lambda: None

    def __iter__(self) -> "ReadAhead":
        return self

    def __next__(self) -> Arrays:
        """Return the next item.

        Raises:
            UserError: if a worker process died.
            Exception: that of the item.
        """
        if self._next >= len(self._items):
            raise StopIteration
        if not self._processes:
            self._start()
        worker = (self._next - self._first) % self._workers
        try:
            arrays = _receive_arrays(self._channels[worker])
        except (EOFError, ConnectionError) as error:
            self._processes[worker].join(_SECONDS_TO_END)
            raise worker_death(self._processes[worker].exitcode) from error
        self._request(self._next + self._workers * _REQUESTS)
        self._next += 1
        return arrays

    def get_state(self) -> dict[str, int]:
        """Return the position: an iterator with this state continues after the last item."""
        return {"next_index": self._next}

    def set_state(self, state: Mapping[str, int]) -> None:
        """Continue at a position."""
        self.close()
        self._next = state["next_index"]

    def close(self) -> None:
        """End the processes; a further item starts them again."""
        self._end()
        self._channels, self._processes = [], []

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        channels, processes = self._channels, self._processes
        self._end = util.Finalize(self, _end_workers, (channels, processes), exitpriority=10)
        self._first = self._next
        try:
            for _ in range(self._workers):
                channel, far_end = context.Pipe()
                process = context.Process(target=_answer, args=(far_end,), daemon=True)
                with shielded_start():
                    process.start()
                far_end.close()  # so that the channel ends with the process
                channels.append(channel)
                processes.append(process)
        except OSError as error:
            raise UserError(
                f"{self._workers} worker processes cannot be started ({error.strerror}); "
                "use fewer workers"
            ) from error
        with _anonymous_file() as file:
            pickle.dump(self._items, file)
            file.flush()
            for channel in channels:
                with contextlib.suppress(ConnectionError):  # the first answer names a dead worker
                    _send_file(channel, None, file)
        for index in range(self._first, self._first + self._workers * _REQUESTS):
            self._request(index)

    def _request(self, index: int) -> None:
        if index < len(self._items):
            channel = self._channels[(index - self._first) % self._workers]
            with contextlib.suppress(ConnectionError):
                channel.send(index)


def _end_workers(channels: Iterable[Connection], processes: Iterable[Any]) -> None:
    for channel in channels:
        channel.close()
    for process in processes:
        process.kill()  # it holds nothing that could be lost, and may wait for storage
    for process in processes:
        process.join(_SECONDS_TO_END)


def _answer(channel: Connection) -> None:
    """Read items for as long as the other end of the channel asks for them."""
    follow_parent()
    with contextlib.suppress(EOFError, ConnectionError):
        _, memory = _receive_file(channel)
        items = pickle.loads(memory)
        while True:
            index = channel.recv()
            try:
                arrays = items[index]
            except Exception as error:
                channel.send(_portable(error))
            else:
                _send_arrays(channel, arrays)


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent, with its traceback as a note."""
    if not isinstance(error, UserError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("".join(traceback.format_exception(error)))
    return error


def _send_arrays(channel: Connection, arrays: Mapping[str, np.ndarray]) -> None:
    layout: Layout = []
    size = 0
    with _anonymous_file() as file:
        for name, array in arrays.items():
            layout.append((name, array.shape, array.dtype, size))
            file.seek(size)
            file.write(np.ascontiguousarray(array).data)
            size += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
        file.truncate(max(size, 1))
        _send_file(channel, layout, file)


def _receive_arrays(channel: Connection) -> Arrays:
    layout, memory = _receive_file(channel)
    return {name: np.ndarray(shape, dtype, memory, offset) for name, shape, dtype, offset in layout}


def _send_file(channel: Connection, description: Layout | None, file: IO[bytes]) -> None:
    file.flush()
    channel.send(description)
    reduction.send_handle(channel, file.fileno(), None)


def _receive_file(channel: Connection) -> tuple[Any, mmap.mmap]:
    """Return the description and the memory that were sent; raise an error that was sent."""
    description = channel.recv()
    if isinstance(description, Exception):
        raise description
    handle = reduction.recv_handle(channel)
    try:
        return description, mmap.mmap(handle, 0)
    finally:
        os.close(handle)


def _anonymous_file() -> IO[bytes]:
    """Open a file that has no name, in memory where the system can."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("read_ahead"), "w+b")
    return tempfile.TemporaryFile()
