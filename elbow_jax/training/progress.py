"""Progress of a run on standard error: a bar on a terminal, one line an epoch elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from elbow_core.progress import is_quiet
from elbow_core.terminal import drawing_stream
from elbow_jax.runtime import is_main


class TrainingProgress:
    """Shows step, loss, learning rate, images per second and the time left.

    Of several processes only the main one shows it, and none with ``--quiet``.
    """

    def __init__(self, title: str, steps: int, batch_size: int, done: int = 0):
        self._console = Console(file=drawing_stream(sys.stderr), quiet=not is_main() or is_quiet())
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal or self._console.quiet,
        )
        self._task = self._progress.add_task(
            title, total=steps, completed=done, metrics="compiling"
        )
        self._title = title
        self._batch_size = batch_size
        self._last = (done, time.monotonic())

    def __enter__(self) -> "TrainingProgress":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """A context of the first step, which compiles: say so, and how long it took."""
        self.say("compiling the training step")
        start = time.monotonic()
        yield
        self.say(f"compiled, and took the first step, in {time.monotonic() - start:.0f} s")
        self._last = (self._last[0], time.monotonic())  # leaves compilation out of the speed

    def step(self, step: int, loss: float, rate: float) -> None:
        """Move the bar to `step` with the mean loss since the last call and the learning rate."""
        last_step, last_time = self._last
        now = time.monotonic()
        speed = (step - last_step) * self._batch_size / max(now - last_time, 1e-9)
        self._last = (step, now)
        metrics = f"loss {loss:.3f}  rate {rate:.1e}  {speed:.0f} images/s"
        self._progress.update(self._task, completed=step, metrics=metrics)

    def epoch(self, epoch: int, epochs: int, loss: float, auroc: float) -> None:
        """Print one epoch's training loss and validation AUROC."""
        self.say(f"epoch {epoch}/{epochs}  loss {loss:.4f}  validation AUROC {auroc:.4f}")
        self._last = (self._last[0], time.monotonic())  # leaves validation out of the speed

    def say(self, text: str) -> None:
        """Print a line about the run."""
        self._console.print(f"{self._title}: {text}", highlight=False)
