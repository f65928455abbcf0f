"""Signals to stop: raised, noted until work is saved, and their exit statuses."""

import os
import signal
import subprocess
import sys
import time

import pytest

from elbow_core import cli
from elbow_core.errors import UserError
from elbow_core.processes.interruption import (
    STOP_SIGNALS,
    Interrupted,
    Interruption,
    raising_on_signals,
)

STOPPED = 143


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signal_is_raised_and_the_former_handler_restored(number):
    before = signal.getsignal(number)
    with pytest.raises(Interrupted, match=number.name), raising_on_signals():
        send(number)
    assert signal.getsignal(number) is before


class Signals:
    """Sends a signal when it is deleted, where Python ignores exceptions."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        send(self.number)
        time.sleep(0)  # The handler runs here, within the finalizer.


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Interrupted)]
)
def test_signal_within_a_finalizer_is_raised_after_it(number, raised, capfd):
    hook = sys.unraisablehook

    def work() -> None:
        Signals(number)
        time.sleep(10)

    started = time.monotonic()
    with pytest.raises(raised), raising_on_signals() as received:
        work()
    assert time.monotonic() - started < 5
    assert set(received) == {number}
    assert sys.unraisablehook is hook
    assert capfd.readouterr().err == ""


def test_other_exceptions_of_finalizers_are_shown_as_before(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)

    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    with raising_on_signals():
        Broken()
    assert [type(entry.exc_value) for entry in shown] == [ValueError]


def test_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raising_on_signals(), Interruption() as interruption:
            send(signal.SIGHUP)
            assert interruption.received is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signal_is_noted_while_work_goes_on(number):
    with raising_on_signals(), Interruption() as interruption:
        assert interruption.received is None
        send(number)
        send(signal.SIGUSR2)
        assert interruption.received == number.name
        assert interruption.status == STOPPED


def test_first_ctrl_c_is_noted_and_the_second_ends_the_work(capfd):
    with Interruption() as interruption:
        send(signal.SIGINT)
        assert interruption.received == "SIGINT"
        assert interruption.status == 130
        assert "press Ctrl-C again" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_signal_ends_a_wait_and_so_does_an_earlier_one():
    with Interruption() as interruption:
        with pytest.raises(Interrupted, match="SIGUSR1"), interruption.waiting():
            send(signal.SIGUSR1)
        with pytest.raises(Interrupted, match="SIGUSR1"), interruption.waiting():
            raise AssertionError("the wait began")


def test_error_of_a_wait_after_a_signal_is_its_consequence():
    with Interruption() as interruption:
        with pytest.raises(ValueError, match="torn"), interruption.waiting():
            raise ValueError("torn")
        interruption._number = signal.SIGTERM  # as if the signal had come within the wait
        interruption._raises = False
        with pytest.raises(Interrupted), interruption.waiting():
            raise ValueError("torn")


def exit_status(main, capsys) -> tuple[int, list[str]]:
    """Run a command; return its exit status and the lines on standard error."""
    with pytest.raises(SystemExit) as ended:
        cli.run(main)
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_command_that_a_signal_stops_cleans_up_and_prints_one_line(number, capsys):
    cleaned = []

    def main(_) -> int:
        try:
            send(number)
        finally:
            cleaned.append(True)
        return 0

    status, lines = exit_status(main, capsys)
    assert (status, cleaned) == (STOPPED, [True])
    assert lines == [f"stopped by {number.name}; give the same command again"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("x: is wrong"), "error: x: is wrong"),
        (FileNotFoundError(2, "No such file or directory", "a/b"), "error: a/b: No such file"),
        (OSError(28, "No space left on device", "a", None, "b"), "error: a -> b: No space left"),
        (OSError(28, "No space left on device"), "error: No space left on device"),
        (OSError("can't start new thread"), "error: can't start new thread"),
        (TimeoutError(), "error: TimeoutError"),
    ],
)
def test_error_of_the_user_or_the_system_is_one_line(error, line, capsys):
    def main(_) -> int:
        raise error

    status, lines = exit_status(main, capsys)
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith(line)


PRINT_NAME = """
import os, sys
from elbow_core import cli
from elbow_core.errors import UserError
def main(arguments):
    print(arguments[0])
    raise UserError(arguments[0])
cli.run(main)
"""


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("utf-8", b"M\\xfcller \xc3\xbc"),
        ("latin-1", b"M\\xfcller \xfc"),
        ("ascii", b"M\\xfcller \\xfc"),
    ],
)
def test_name_that_is_not_utf8_is_printed_with_an_escape(encoding, printed):
    done = subprocess.run(
        [sys.executable, "-c", PRINT_NAME, os.fsdecode(b"M\xfcller \xc3\xbc")],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"},
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == printed + b"\n"
    assert done.stderr == b"error: " + printed + b"\n"


WRITE_MUCH = """
from elbow_core import cli
def main(arguments):
    for _ in range(100000):
        print("line")
    return 0
cli.run(main)
"""


def test_closed_output_ends_a_command_without_a_message():
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_MUCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "interrupted; 3 of 5 are done"), (signal.SIGTERM, "stopped by SIGTERM; 3 of")],
)
def test_notes_of_a_stopped_command_stand_in_its_line(number, line, capsys):
    def main(_) -> int:
        try:
            send(number)
        except (KeyboardInterrupt, Interrupted) as stopped:
            stopped.add_note("3 of 5 are done\n")
            raise
        return 0

    _, (printed,) = exit_status(main, capsys)
    assert printed.startswith(line)
    assert printed.endswith("3 of 5 are done\\n")
