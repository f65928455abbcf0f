import argparse
import io
import re
from types import SimpleNamespace

import pytest
from rich.console import Console

from elbow_core import progress
from elbow_core.progress import is_quiet, rate_text, track
from tests.support.commands import status_of


@pytest.mark.parametrize("count", [0, 1, 250])
def test_items_pass_through_unchanged(count, capsys):
    assert list(track(range(count), count, "read")) == list(range(count))
    assert capsys.readouterr().out == ""


def test_log_gets_one_line_at_the_end_of_a_short_loop(capsys):
    list(track(range(250), 250, "read"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("read: 250 of 250, ")


def test_log_of_a_long_loop_gets_lines_with_the_time_left(capsys, monkeypatch):
    seconds = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    list(track(range(8), 8, "read"))
    lines = capsys.readouterr().err.splitlines()
    # One second is ten here: a line every third image.
    assert lines[:2] == ["read: 3 of 8, 6.0/min, 50 s left", "read: 6 of 8, 6.0/min, 20 s left"]
    assert len(lines) == 3


def test_batches_count_as_their_images_and_the_last_may_have_fewer(capsys, monkeypatch):
    seconds = iter(range(0, 10_000, 40))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    assert list(track(range(3), 20, "score", each=8)) == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "score: 8 of 20, 12.0/min, 60 s left"
    assert lines[-1].startswith("score: 20 of 20, ")


def test_log_of_a_brief_loop_stays_empty(capsys):
    list(track(range(250), 250, "score", brief=True))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("rate", "text"), [(0.0, "0/s"), (0.07, "4.2/min"), (2.5, "2.5/s"), (120.4, "120/s")]
)
def test_rate_has_digits_for_slow_work_too(rate, text):
    assert rate_text(rate) == text


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet_command_shows_no_progress_and_ends_as_ever(terminal, capsys, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda file: Console(file=screen, force_terminal=terminal)
    )

    def main(arguments):
        assert arguments == ["a", "--", "--quiet"]
        print(sum(track(range(4), 4, "read")))
        return 0

    assert status_of(SimpleNamespace(main=main), "--quiet", "a", "--", "--quiet") == 0
    assert capsys.readouterr() == ("6\n", "")
    assert screen.getvalue() == ""
    assert not is_quiet()


def test_help_of_every_command_names_quiet(capsys):
    def main(arguments):
        argparse.ArgumentParser().parse_args(arguments)
        return 0

    assert status_of(SimpleNamespace(main=main), "--help") == 0
    assert "--quiet" in capsys.readouterr().out


def test_no_color_takes_the_colours_from_the_bar(monkeypatch):
    colours = []
    for value in (None, "1"):
        screen = io.StringIO()
        monkeypatch.delenv("NO_COLOR", raising=False)
        if value is not None:
            monkeypatch.setenv("NO_COLOR", value)
        monkeypatch.setattr(
            progress,
            "Console",
            lambda file, screen=screen: Console(
                file=screen, force_terminal=True, width=100, color_system="standard"
            ),
        )
        list(track(range(30), 30, "prepare"))
        colours.append(len(re.findall(r"\x1b\[[0-9;]*3[0-7]m", screen.getvalue())))
    assert colours[0] > 0
    assert colours[1] == 0


def test_terminal_gets_a_bar_with_count_and_rate(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(
        progress,
        "Console",
        lambda file: Console(file=screen, force_terminal=True, width=100),
    )
    assert list(track(range(30), 30, "prepare")) == list(range(30))
    shown = screen.getvalue()
    assert "prepare" in shown
    assert "30/30" in shown
    assert "/s" in shown


def test_log_gets_no_line_of_a_brief_loop_that_was_short(capsys, monkeypatch):
    list(track(range(250), 250, "predict", brief=True))
    assert capsys.readouterr().err == ""
    seconds = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    list(track(range(8), 8, "predict", brief=True))
    assert len(capsys.readouterr().err.splitlines()) == 3
