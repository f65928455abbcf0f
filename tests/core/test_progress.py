import io

import pytest
from rich.console import Console

from elbow_core import progress
from elbow_core.progress import track


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
    assert lines[:2] == ["read: 3 of 8, 0/s, 50 s left", "read: 6 of 8, 0/s, 20 s left"]
    assert len(lines) == 3


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
