"""Keep Orbax from printing errors that `Checkpoints` raises as one line."""

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
    _ignore_pending_tasks()
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


def _ignore_pending_tasks() -> None:
    """Ignore, from here on, what is left of Orbax's tasks when it closes their event loop.

    The first error of a save or a read closes the loop. TensorStore prints one traceback for each
    array whose writing ends later, and Python one for each task whose error nobody awaits, perhaps
    after the run.
    """
    global _shown_before
    if sys.unraisablehook is not _show_unless_of_a_task:
        _shown_before = sys.unraisablehook
        sys.unraisablehook = _show_unless_of_a_task
    warnings.filterwarnings("ignore", r"coroutine '.*' was never awaited", RuntimeWarning)


def _show_unless_of_a_task(unraisable: Any) -> None:
    code = getattr(unraisable.object, "cr_code", None)  # of a coroutine
    of_orbax = code is not None and "orbax" in Path(code.co_filename).parts
    if not of_orbax and str(unraisable.exc_value) != "Event loop is closed":
        _shown_before(unraisable)
