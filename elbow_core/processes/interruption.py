"""Signals that ask a command to stop: one treatment for all commands.

A scheduler sends them before it kills. `elbow_core.cli.run` calls a command within
`raising_on_signals`, so that partial files are removed and the exit status is
`INTERRUPTED_STATUS`. Work that can save its state does so under an `Interruption`.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

STOP_SIGNALS = (
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
    signal.SIGHUP,
)
"""SLURM and Kubernetes send SIGTERM, ``sbatch --signal`` and LSF SIGUSR1 or SIGUSR2, Grid Engine
and a limit of processor time SIGXCPU, a closed terminal SIGHUP."""

INTERRUPTED_STATUS = 128 + signal.SIGTERM
"""The exit status after any of `STOP_SIGNALS`."""

CTRL_C_STATUS = 128 + signal.SIGINT
"""The exit status after Ctrl-C."""

CTRL_C_LINE = "interrupted"
"""What a command prints that Ctrl-C has ended."""

_MOMENT = 0.01  # seconds, after which a finalizer has ended


class Interrupted(BaseException):
    """One of `STOP_SIGNALS`, whose name is its text; no handler of `Exception` catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)


@contextmanager
def raising_on_signals() -> Iterator[list[int]]:
    """A context in which `STOP_SIGNALS` raise `Interrupted`, and Ctrl-C `KeyboardInterrupt`.

    Yields the numbers of the signals received so far: a library may turn the exception into one of
    its own. Where Python ignores the exception, as in a finalizer or a callback of the garbage
    collector, it is raised again a moment later. Only in the main thread.
    """
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else Interrupted(number)

    with _handled((*STOP_SIGNALS, signal.SIGINT), handle), _raising_again(received):
        yield received


@contextmanager
def _raising_again(received: Sequence[int]) -> Iterator[None]:
    """Deliver the last signal again where Python has ignored its exception."""
    former = sys.unraisablehook

    def show(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt | Interrupted):
            former(unraisable)
            return
        # Raised here, it would be ignored too.
        main = threading.main_thread().ident
        timer = threading.Timer(_MOMENT, signal.pthread_kill, [main, received[-1]])
        timer.daemon = True
        with suppress(RuntimeError):  # The process ends, and starts no thread any more.
            timer.start()

    sys.unraisablehook = show
    try:
        yield
    finally:
        if sys.unraisablehook is show:
            sys.unraisablehook = former


def exit_on_ctrl_c() -> None:
    """Make Ctrl-C end the process at once and in one line, while it has no work to end.

    That is while a command imports its modules, and when it has ended.
    """

    def end(*_: object) -> None:
        os.write(2, f"{CTRL_C_LINE}\n".encode())
        os._exit(CTRL_C_STATUS)

    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, end)


Entered = TypeVar("Entered", bound="Interruption")


class Interruption:
    """A context in which a signal is noted instead of ending the work.

    The work asks `received` at points where its state can be saved. The first Ctrl-C is noted too;
    after any signal a further Ctrl-C raises `KeyboardInterrupt`.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._raises = False
        self._handlers = ExitStack()

    def __enter__(self: Entered) -> Entered:
        self._handlers.enter_context(_handled((*STOP_SIGNALS, signal.SIGINT), self._handle))
        return self

    def __exit__(self, *_: object) -> None:
        self._handlers.close()

    @property
    def received(self) -> str | None:
        """The name of the first signal, or None."""
        return None if self._number is None else signal.Signals(self._number).name

    @property
    def status(self) -> int:
        """The exit status of a command that stops now."""
        return CTRL_C_STATUS if self._number == signal.SIGINT else INTERRUPTED_STATUS

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A context in which a signal, also an earlier one, raises `Interrupted`.

        Waiting for storage may take longer than the scheduler's patience. If the wait fails after a
        signal, the error is taken for its consequence, and `Interrupted` is raised too.
        """
        try:
            self._raises = True
            if self._number is not None:
                raise Interrupted(self._number)
            yield
        except Exception:
            if self._number is not None:
                raise Interrupted(self._number) from None
            raise
        finally:
            self._raises = False

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self._number is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._number = self._number or number
        if self._raises:
            self._raises = False
            raise Interrupted(self._number)
        if number == signal.SIGINT:
            # Printing could meet a half-finished print of the interrupted code.
            os.write(2, b"\nstopping after this step; press Ctrl-C again to stop at once\n")


@contextmanager
def _handled(
    numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Handle signals, except those that are ignored (as under nohup)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former: dict[int, Any] = {}
    try:
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                former[number] = signal.signal(number, handler)
        yield
    finally:
        for number, previous in former.items():
            # None: a handler that was not installed from Python and cannot be restored.
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
