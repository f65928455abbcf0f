"""Stop fine-tuning on a signal, with a checkpoint that resumes as if nothing had happened."""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from elbow_core.errors import UserError
from elbow_core.processes import Interruption

_PENDING = "pending_loss"


class StopOnSignal(TrainerCallback):
    """Saves a checkpoint after the step in which a signal came, and stops.

    Within an epoch nothing is logged or validated then: the resumed run does so at the steps at
    which an unbroken one does. After an epoch's last step the epoch is completed first.
    """

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption
        self._within_epoch = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save and stop, unless the epoch ends here."""
        if self._requested(args) and not _ends_epoch(state):
            control.should_save = control.should_training_stop = True
            self._within_epoch = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """The Trainer calls this also when it stops within an epoch."""
        if self._within_epoch:
            control.should_log = control.should_evaluate = control.should_save = False

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Stop after a checkpoint that was due anyway."""
        if self._requested(args):
            control.should_training_stop = True
            self._within_epoch = not _ends_epoch(state)

    def _requested(self, args: TrainingArguments) -> bool:
        """Return whether any process has received a signal; all call this together."""
        received = self._interruption.received is not None
        if args.world_size == 1:
            return received
        flag = torch.tensor(int(received), device=args.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag.item())


class PendingLoss(TrainerCallback):
    """Keeps the losses since the last row of the log in a checkpoint; the Trainer forgets them."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def record(self, state: TrainerState, args: TrainingArguments) -> None:
        """Write them to the state; the Trainer calls its callbacks after saving, too late."""
        total = self._trainer._tr_loss.clone()
        if args.world_size > 1:
            torch.distributed.all_reduce(total)
            total /= args.world_size
        pending: Any = {"sum": total.item(), "since": self._trainer._globalstep_last_logged}
        callbacks: Any = state.stateful_callbacks
        callbacks[_PENDING] = pending

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Continue with those of the checkpoint."""
        callbacks: Any = state.stateful_callbacks or {}
        if _PENDING in callbacks:
            self._trainer._tr_loss += callbacks[_PENDING]["sum"]
            self._trainer._globalstep_last_logged = callbacks[_PENDING]["since"]


@contextmanager
def naming_dead_workers() -> Iterator[None]:
    """Turn PyTorch's error for a reading process that died into a `UserError`."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).split("\n")[0]
        if "DataLoader worker" not in reason:
            raise
        raise UserError(
            f"{reason.rstrip('. ')}; probably out of memory, or /dev/shm is too small; use fewer "
            "data.workers"
        ) from error


def end_reading_processes() -> None:
    """Kill the processes that read images: they hold nothing, and may wait for storage."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # PyTorch's handler would raise an error for each
    for process in multiprocessing.active_children():
        process.kill()


def end_process_group() -> None:
    """End the communication with the other processes of this run, once all of them are here.

    Without it the threads of torch's backend still run when the interpreter ends; a process whose
    work was done has been aborted by the C++ runtime then ("terminate called without an active
    exception").
    """
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def _ends_epoch(state: TrainerState) -> bool:
    return state.global_step % (state.max_steps // state.num_train_epochs) == 0
