"""Worker processes that leave signals to their parent and end with it."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import TracebackType

from elbow_core.errors import UserError
from elbow_core.processes.interruption import STOP_SIGNALS

_FOR_THE_PARENT = (*STOP_SIGNALS, signal.SIGINT)
_SECONDS_BETWEEN_CHECKS = 1.0

_following = 0


@contextmanager
def shielded_start() -> Iterator[None]:
    """A context for starting worker processes: signals to the process group do not reach them.

    A process inherits the blocked signals of the thread that starts it, and so does the process in
    which `multiprocessing` tracks its resources.
    """
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)  # the tracker's start unblocks
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def follow_parent() -> None:
    """Set up this worker process: it ends when its parent ends or sends SIGTERM, and only then.

    Signals to the process group would end workers while the parent still needs their data; a killed
    parent cannot stop its workers. Further calls do nothing.
    """
    global _following
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None or _following == os.getpid():
        return
    _following = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)
    sys.excepthook = _report_unless_parent_left
    threading.Thread(target=_end_with, args=(parent.pid,), daemon=True).start()


def worker_death(exit_code: int | None) -> UserError:
    """Return the error for a worker process that died, from its exit code (negative: a signal)."""
    how = ""
    if exit_code is not None:
        how = f" ({signal.Signals(-exit_code).name})" if exit_code < 0 else f" (status {exit_code})"
    return UserError(f"a worker process died{how}, probably out of memory; use fewer workers")


def _report_unless_parent_left(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Report an error that nothing has caught, as Python does.

    The thread that sends arrays to the parent (`multiprocessing.resource_sharer`) raises one when
    the parent stops while it receives: the parent has its own message.
    """
    if not issubclass(kind, ConnectionError | EOFError):
        sys.__excepthook__(kind, error, traceback)


def _end_with(parent: int) -> None:
    # A watching thread and not PR_SET_PDEATHSIG, which follows the thread that started the process.
    while os.getppid() == parent:
        if _sender_of_sigterm() == parent:
            break
    os._exit(1)


def _sender_of_sigterm() -> int | None:
    """Wait for SIGTERM, a second at most; return the process that sent it."""
    if not hasattr(signal, "sigtimedwait"):  # macOS
        time.sleep(_SECONDS_BETWEEN_CHECKS)
        return None
    received = signal.sigtimedwait((signal.SIGTERM,), _SECONDS_BETWEEN_CHECKS)
    return None if received is None else received.si_pid
