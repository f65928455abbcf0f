"""A polite end: SIGTERM, as schedulers send it before they kill, ends a run between two steps."""

import signal
from types import FrameType, TracebackType

import jax

from elbow_jax.runtime import devices as parallel

STATUS = 128 + signal.SIGTERM  # what a shell shows of a process that the signal ended


class Interruption:
    """While it is entered, SIGTERM sets a flag instead of ending the process."""

    def __init__(self) -> None:
        self._asked = False

    def __enter__(self) -> "Interruption":
        self._before = signal.signal(signal.SIGTERM, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def asked(self, meeting: bool) -> bool:
        """Whether to stop now.

        One process stops at any step. Several must stop at the same one, so they ask each other,
        and only where all of them wait for the device anyway.

        Args:
            meeting: whether every process waits at this step.
        """
        if jax.process_count() == 1:
            return self._asked
        return meeting and parallel.any_process(self._asked)
