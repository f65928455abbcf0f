"""Stop a run of one or several processes between two steps, on the signals of schedulers."""

from contextlib import AbstractContextManager, nullcontext

import jax

from elbow_core import processes
from elbow_jax.runtime import devices

INTERRUPTED_STATUS = processes.INTERRUPTED_STATUS


class Interruption(processes.Interruption):
    """A context in which a signal is noted, for all processes of a run together."""

    def requested(self, synchronised: bool) -> bool:
        """Return whether to stop now.

        A single process may stop at any step. Several processes must stop at the same step, so they
        exchange their flags, and only at steps where all of them wait for the device anyway.

        Args:
            synchronised: whether every process waits for the device at this step.
        """
        received = self.received is not None
        if jax.process_count() == 1:
            return received
        return synchronised and devices.any_process(received)

    def waiting(self) -> AbstractContextManager[None]:
        """As in the base class; of several processes none stops alone, so nothing is raised."""
        return super().waiting() if jax.process_count() == 1 else nullcontext()
