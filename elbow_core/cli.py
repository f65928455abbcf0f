"""Run a command and exit with its status: 0, or 2 and one line for a user error.

A signal to stop ends a command with status 143 (`elbow_core.interruption`), Ctrl-C with 130.
"""

import codecs
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from elbow_core.disk import is_full
from elbow_core.errors import UserError
from elbow_core.interruption import (
    CTRL_C_LINE,
    CTRL_C_STATUS,
    INTERRUPTED_STATUS,
    Interrupted,
    exit_on_ctrl_c,
    raising_on_signals,
)
from elbow_core.surroundings import ensure_home

_BROKEN_PIPE_STATUS = 128 + signal.SIGPIPE
_ENCODING_ERRORS = "elbow_core.any_name"


def run(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Call ``main(arguments)`` and exit with its status; print a `UserError` and exit with 2.

    An `OSError` too is printed in one line: a full disk, a folder that may not be written. Standard
    input is empty for the command and for its libraries: whoever asks a question there gets no
    answer. A file that is named ``/dev/stdin`` is still read.
    """
    _print_any_name()
    received: list[int] = []
    try:
        with raising_on_signals() as received, _without_standard_input():
            status = _call(main)
    except Interrupted as interrupted:
        status = _stopped(str(interrupted))
    except KeyboardInterrupt:
        status = _stopped(signal.SIGINT.name)
    except Exception:
        if not received:
            raise
        # The library that was interrupted raised an error of its own.
        status = _stopped(signal.Signals(received[0]).name)
    exit_on_ctrl_c()
    sys.exit(status)


def _call(main: Callable[[Sequence[str]], int]) -> int:
    """Return the status of ``main``; print one line for an error that is not one of the program."""
    try:
        ensure_home()
        status = main(sys.argv[1:])
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    except BrokenPipeError:  # as of `... | head`
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE_STATUS
    except OSError as error:
        print(f"error: {_describe(error)}", file=sys.stderr)
    except Exception as error:
        if not is_full(error):
            raise
        print(f"error: cannot be written: {str(error).splitlines()[0]}", file=sys.stderr)
    return 2


def _stopped(name: str) -> int:
    """Print that the signal ``name`` has stopped the command; return the exit status."""
    exit_on_ctrl_c()
    if name == signal.SIGINT.name:
        print(CTRL_C_LINE, file=sys.stderr)
        return CTRL_C_STATUS
    print(f"stopped by {name}; give the same command again", file=sys.stderr)
    return INTERRUPTED_STATUS


@contextlib.contextmanager
def _without_standard_input() -> Iterator[None]:
    """Let ``input`` find the end of the input; libraries ask there whether to run remote code."""
    original = sys.stdin
    with open(os.devnull, encoding="utf-8") as nothing:  # noqa: PTH123 devnull is a string
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = original


def _describe(error: OSError) -> str:
    names = [
        os.fsdecode(name)
        for name in (error.filename, error.filename2)
        if isinstance(name, str | bytes | os.PathLike)
    ]
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    return ": ".join([" -> ".join(names), reason]) if names else reason


def _print_any_name() -> None:
    """Print file names in any encoding: their own bytes, and backslashes for other characters."""
    codecs.register_error(_ENCODING_ERRORS, _encode_name)
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_ENCODING_ERRORS)


def _encode_name(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
