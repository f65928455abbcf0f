"""A journal: whole lines are read, and what a kill left behind them is dropped."""

import pytest

from elbow_core.files import append_to_journal, cut_journal, read_journal


def numbers(path):
    return [value for value, _ in read_journal(path, int)]


def test_every_cut_leaves_the_whole_lines_before_it(tmp_path):
    path = tmp_path / "journal"
    ends = [0]
    for number in range(5):
        append_to_journal(path, number, durable=number % 2 == 0)
        ends.append(path.stat().st_size)
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = sum(end <= length for end in ends[1:])
        assert numbers(path) == list(range(whole))
        cut_journal(path, ends[whole])
        append_to_journal(path, 9)
        assert numbers(path) == [*range(whole), 9]


def test_damaged_line_ends_the_journal(tmp_path):
    path = tmp_path / "journal"
    for value in (1, 2, "no number", 3):
        append_to_journal(path, value)
    assert numbers(path) == [1, 2]
    content = path.read_bytes()
    path.write_bytes(content.replace(b" 1\n", b" 7\n"))
    assert numbers(path) == []


def test_missing_journal_is_empty_and_a_value_that_is_no_json_is_refused(tmp_path):
    assert numbers(tmp_path / "journal") == []
    with pytest.raises(ValueError, match="JSON"):
        append_to_journal(tmp_path / "journal", float("nan"))
    assert not (tmp_path / "journal").exists()
