"""Progress of a long loop: a bar on a terminal, a line every 30 seconds in a log.

Every command shows its progress through this module, or asks `is_quiet` before it shows its own.
Colours are Rich's: none where standard error is no terminal, or where ``NO_COLOR`` is set
(https://no-color.org).
"""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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


_quiet = False


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """A context in which no progress is shown, if ``quiet``; for the command line."""
    global _quiet
    before, _quiet = _quiet, quiet
    try:
        yield
    finally:
        _quiet = before


def is_quiet() -> bool:
    """Return whether the command was given ``--quiet``: no progress on standard error."""
    return _quiet


def track(
    items: Iterable[Item],
    total: int,
    task: str,
    done: int = 0,
    brief: bool = False,
    each: int = 1,
) -> Iterator[Item]:
    """Yield the items; show the number done, the rate and the time left on standard error.

    Args:
        items: what is worked on.
        total: their number, or with ``each`` that of all in them.
        task: what is done with them, for the line or the bar.
        done: how many of ``total`` were finished before; ``items`` are the rest.
        brief: a log gets no line about a loop that has ended before the first line is due.
        each: how many one item counts for, such as the images of a batch; the last may have fewer.
    """
    if _quiet:
        yield from items
        return
    console = Console(file=drawing_stream(sys.stderr))
    if console.is_terminal:
        yield from _track_with_bar(items, total, task, done, each, console)
    else:
        yield from _track_with_lines(items, total, task, done, brief, each)


def rate_text(per_second: float) -> str:
    """Return a rate with two or three digits: ``120/s``, ``2.5/s``, or ``4.2/min`` below 1/s."""
    if per_second >= 10 or per_second == 0:
        return f"{per_second:.0f}/s"
    return f"{per_second:.1f}/s" if per_second >= 1 else f"{60 * per_second:.1f}/min"


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(rate_text(task.speed or 0.0))


def _track_with_bar(
    items: Iterable[Item], total: int, task: str, done: int, each: int, console: Console
) -> Iterator[Item]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task_id = progress.add_task(task, total=total, completed=done)
        for new, item in enumerate(items, start=1):
            yield item
            progress.update(task_id, completed=min(done + new * each, total))


def _track_with_lines(
    items: Iterable[Item], total: int, task: str, done: int, brief: bool, each: int
) -> Iterator[Item]:
    start = last_line = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        new = number * each
        if now - last_line >= _SECONDS_BETWEEN_LINES and done + new < total:
            last_line = now
            rate = new / (now - start)
            left = (total - done - new) / rate
            count = f"{done + new} of {total}"
            print(f"{task}: {count}, {rate_text(rate)}, {left:.0f} s left", file=sys.stderr)
    seconds = time.monotonic() - start
    if brief and seconds < _SECONDS_BETWEEN_LINES:
        return
    rate = rate_text((total - done) / max(seconds, 1e-9))
    resumed = f", {done} of them in an earlier run" if done else ""
    print(f"{task}: {total} of {total}{resumed}, {rate}, {seconds:.0f} s", file=sys.stderr)
