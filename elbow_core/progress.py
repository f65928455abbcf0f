"""How far a long loop is: a bar on a terminal, a line now and then in a log."""

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

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 30.0


def track(items: Iterable[Item], total: int, what: str, done: int = 0) -> Iterator[Item]:
    """Yield the items and say on standard error how many are done, the rate and the time left.

    ``done`` of the ``total`` were there before; the items are the rest.
    """
    console = Console(stderr=True)
    if console.is_terminal:
        yield from _track_with_bar(items, total, what, done, console)
    else:
        yield from _track_with_lines(items, total, what, done)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:.0f}/s")


def _track_with_bar(
    items: Iterable[Item], total: int, what: str, done: int, console: Console
) -> Iterator[Item]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(what, total=total, completed=done)
        for item in items:
            yield item
            progress.advance(task)


def _track_with_lines(items: Iterable[Item], total: int, what: str, done: int) -> Iterator[Item]:
    start = said = time.monotonic()
    made = 0
    for made, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES and done + made < total:
            said = now
            rate = made / (now - start)
            left = (total - done - made) / rate
            said_so_far = f"{done + made} of {total}"
            print(f"{what}: {said_so_far}, {rate:.0f}/s, {left:.0f} s left", file=sys.stderr)
    seconds = time.monotonic() - start
    rate = made / max(seconds, 1e-9)
    before = f", {done} of them before" if done else ""
    print(f"{what}: {total} of {total}{before}, {rate:.0f}/s, {seconds:.0f} s", file=sys.stderr)
