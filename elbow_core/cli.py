"""Run a command and exit with its status: 0, or 2 and one line for a user error.

A signal to stop ends a command with status 143 (`elbow_core.processes`), Ctrl-C with 130. Notes
that a command has added to the exception (`BaseException.add_note`), such as how to go on, are
printed in the same line. Every command takes ``--quiet``, which hides its progress.
"""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from elbow_core.errors import UserError
from elbow_core.files import is_full, is_of_the_system
from elbow_core.printable import one_line
from elbow_core.processes import (
    CTRL_C_LINE,
    CTRL_C_STATUS,
    INTERRUPTED_STATUS,
    Interrupted,
    exit_on_ctrl_c,
    raising_on_signals,
)
from elbow_core.progress import quietly
from elbow_core.surroundings import ensure_home
from elbow_core.terminal import plain_streams

_BROKEN_PIPE_STATUS = 128 + signal.SIGPIPE


def run(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Call ``main(arguments)`` and exit with its status; print a `UserError` and exit with 2.

    An `OSError` too is printed in one line: a full disk, a folder that may not be written. What is
    printed cannot change the terminal (`elbow_core.terminal`). Standard input is empty for the
    command and for its libraries: whoever asks a question there gets no answer. A file that is
    named ``/dev/stdin`` is still read.
    """
    with plain_streams(), _plain_usage_errors():
        status = _status(main)
    sys.exit(status)


def _status(main: Callable[[Sequence[str]], int]) -> int:
    """Return the status of a command that may be stopped by a signal; print that it was."""
    received: list[int] = []
    try:
        with raising_on_signals() as received, _without_standard_input():
            status = _call(main)
        exit_on_ctrl_c()
        return status
    except Interrupted as interrupted:
        return _stopped(str(interrupted), _notes(interrupted))
    except KeyboardInterrupt as interrupted:
        return _stopped(signal.SIGINT.name, _notes(interrupted))
    except Exception:
        if not received:
            raise
        # The library that was interrupted raised an error of its own.
        return _stopped(signal.Signals(received[0]).name)


def _call(main: Callable[[Sequence[str]], int]) -> int:
    """Return the status of ``main``; print one line for an error that is not one of the program."""
    arguments, quiet = _take_quiet(sys.argv[1:])
    try:
        ensure_home()
        with quietly(quiet), _help_on_quiet(arguments):
            status = main(arguments)
        sys.stdout.flush()
        return status
    except UserError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
    except BrokenPipeError:  # as of `... | head`
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE_STATUS
    except OSError as error:
        print(f"error: {one_line(_describe(error))}", file=sys.stderr)
    except MemoryError as error:
        reason = one_line(str(error))
        print(f"error: not enough memory{': ' if reason else ''}{reason}", file=sys.stderr)
    except Exception as error:
        if not is_of_the_system(error):
            raise
        refusal = "cannot be written" if is_full(error) else "cannot be read or written"
        print(f"error: {refusal}: {one_line(str(error))}", file=sys.stderr)
    return 2


def _take_quiet(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Return the arguments without ``--quiet``, and whether it was there; files follow ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [word for word in arguments[:end] if word != "--quiet"]
    return [*options, *arguments[end:]], len(options) < end


@contextlib.contextmanager
def _help_on_quiet(arguments: Sequence[str]) -> Iterator[None]:
    """A context that ends with a line on ``--quiet`` if the command is asked for help."""
    try:
        yield
    finally:
        if {"-h", "--help"} & set(arguments):
            print("\n--quiet hides the progress that every command shows on standard error.")


def _stopped(name: str, notes: str = "") -> int:
    """Print that the signal ``name`` has stopped the command; return the exit status."""
    exit_on_ctrl_c()
    if name == signal.SIGINT.name:
        print("; ".join(filter(None, [CTRL_C_LINE, notes])), file=sys.stderr)
        return CTRL_C_STATUS
    print(f"stopped by {name}; {notes or 'give the same command again'}", file=sys.stderr)
    return INTERRUPTED_STATUS


def _notes(error: BaseException) -> str:
    return one_line("; ".join(getattr(error, "__notes__", ())))


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


@contextlib.contextmanager
def _plain_usage_errors() -> Iterator[None]:
    """A context in which argparse's errors are one line, whatever the arguments contain."""
    print_error = argparse.ArgumentParser.error

    def error(self: argparse.ArgumentParser, message: str) -> NoReturn:
        print_error(self, one_line(message))

    argparse.ArgumentParser.error = error
    try:
        yield
    finally:
        argparse.ArgumentParser.error = print_error
