"""Progress of a long loop: a bar on a terminal, a line every 30 seconds in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from elbow_core.terminal import drawing_stream

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 30.0


def track(
    items: Iterable[Item], total: int, task: str, done: int = 0, brief: bool = False
) -> Iterator[Item]:
    """Yield the items; show the number done, the rate and the time left on standard error.

    ``done`` of the ``total`` were finished before; ``items`` are the rest. If ``brief``, a log gets
    no line about a loop that has ended before the first line is due.
    """
    console = Console(file=drawing_stream(sys.stderr))
    if console.is_terminal:
        yield from _track_with_bar(items, total, task, done, console)
    else:
        yield from _track_with_lines(items, total, task, done, brief)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f}/s")


def _track_with_bar(
    items: Iterable[Item], total: int, task: str, done: int, console: Console
) -> Iterator[Item]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task_id = progress.add_task(task, total=total, completed=done)
        for item in items:
            yield item
            progress.advance(task_id)


def _track_with_lines(
    items: Iterable[Item], total: int, task: str, done: int, brief: bool
) -> Iterator[Item]:
    start = last_line = time.monotonic()
    new = 0
    for new, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last_line >= _SECONDS_BETWEEN_LINES and done + new < total:
            last_line = now
            rate = new / (now - start)
            left = (total - done - new) / rate
            count = f"{done + new} of {total}"
            print(f"{task}: {count}, {rate:.0f}/s, {left:.0f} s left", file=sys.stderr)
    seconds = time.monotonic() - start
    if brief and seconds < _SECONDS_BETWEEN_LINES:
        return
    rate = new / max(seconds, 1e-9)
    resumed = f", {done} of them in an earlier run" if done else ""
    print(f"{task}: {total} of {total}{resumed}, {rate:.0f}/s, {seconds:.0f} s", file=sys.stderr)
