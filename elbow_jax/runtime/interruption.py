"""Stop a run between two steps on SIGTERM, which schedulers send before they kill."""

import signal
from types import FrameType, TracebackType

import jax

from elbow_jax.runtime import devices

INTERRUPTED_STATUS = 128 + signal.SIGTERM  # a shell's exit status of a process ended by the signal


class Interruption:
    """A context in which SIGTERM sets a flag instead of ending the process."""

    def __init__(self) -> None:
        self._received = False

    def __enter__(self) -> "Interruption":
        self._previous_handler = signal.signal(signal.SIGTERM, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGTERM, self._previous_handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._received = True

    def requested(self, synchronised: bool) -> bool:
        """Return whether to stop now.

        A single process may stop at any step. Several processes must stop at the same step, so they
        exchange their flags, and only at steps where all of them wait for the device anyway.

        Args:
            synchronised: whether every process waits for the device at this step.
        """
        if jax.process_count() == 1:
            return self._received
        return synchronised and devices.any_process(self._received)
