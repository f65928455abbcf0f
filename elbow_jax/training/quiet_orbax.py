"""Keep Orbax from printing errors that `Checkpoints` raises as one line."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_orbax() -> Iterator[None]:
    """Silence Orbax's log and the tracebacks of its threads.

    A save that fails in the background is logged by each thread and task that waits for it, with a
    traceback each: 800 lines for one full disk. The error itself reaches the thread that saves.
    """
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    levels = [logger.level for logger in loggers]
    previous = threading.excepthook

    def show_others(args: Any) -> None:
        if type(args.thread).__module__.partition(".")[0] != "orbax":
            previous(args)

    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    threading.excepthook = show_others
    try:
        yield
    finally:
        threading.excepthook = previous
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
