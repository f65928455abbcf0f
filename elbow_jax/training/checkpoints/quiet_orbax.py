"""Keep Orbax from printing errors that `Checkpoints` raises as one line."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet_orbax() -> Iterator[None]:
    """Silence Orbax's log and the tracebacks of its threads and of TensorStore's.

    A save that fails in the background is logged by each thread and task that waits for it, with a
    traceback each: 800 lines for one full disk. The error itself reaches the thread that saves.
    After an error, also one that a second attempt has mended, the context should not be left by
    success: other threads and tasks of Orbax end later, perhaps after the run, and the silence
    stays.
    """
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    hook = threading.excepthook
    threading.excepthook = _except_orbax(hook)
    _ignore_closed_loops()
    yield
    threading.excepthook = hook
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def _except_orbax(hook: Any) -> Any:
    def show(args: Any) -> None:
        if type(args.thread).__module__.partition(".")[0] != "orbax":
            hook(args)

    return show


_shown_before: Any = None


def _ignore_closed_loops() -> None:
    """Ignore, from here on, what TensorStore reports to an event loop that Orbax has closed.

    The first error of a save closes the loop. TensorStore prints one traceback for each array whose
    writing ends later, perhaps after the run.
    """
    global _shown_before
    if sys.unraisablehook is not _show_unless_loop_is_closed:
        _shown_before = sys.unraisablehook
        sys.unraisablehook = _show_unless_loop_is_closed


def _show_unless_loop_is_closed(unraisable: Any) -> None:
    if str(unraisable.exc_value) != "Event loop is closed":
        _shown_before(unraisable)
