"""Cells of tables: no formula, no unprintable character, and the same text when read back."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elbow_core.printable import UNPRINTABLE, escape, one_line, unescape
from elbow_core.tables.cells import protect, restore
from elbow_core.tables.reading import read_csv_table
from elbow_core.tables.writing import write_csv_table

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
AWKWARD = st.text(
    st.sampled_from("ab 01.,;|\"'\\nxu=+-@\uff1d\n\r\t\x1b\x85\u202e\udcfc\ud800ü"), max_size=9
)
TEXT = st.one_of(AWKWARD, st.text(st.characters(), max_size=9))


@settings(max_examples=500, deadline=None)
@given(TEXT)
def test_escapes_are_undone_exactly(text):
    assert unescape(escape(text)) == text
    assert not UNPRINTABLE.search(escape(text))
    assert not UNPRINTABLE.search(one_line(text))


@pytest.mark.parametrize("text", ["\\", "a\\q", "\\x1", "\\u12", "\\xAB"])
def test_unknown_escapes_are_refused(text):
    with pytest.raises(ValueError, match="no escape at character"):
        unescape(text)


@settings(max_examples=1000, deadline=None)
@given(TEXT)
def test_protected_cells_are_restored_exactly_and_hold_no_formula(text):
    cell = protect(text)
    assert restore(cell) == text
    assert not UNPRINTABLE.search(cell)
    is_number = cell.lstrip(SIGNS).replace(".", "").isdigit()
    assert not cell.lstrip(" ").startswith(tuple(SIGNS)) or is_number
    for delimiter in ',;|"':
        assert not any(delimiter + sign in cell for sign in SIGNS)


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_cells_of_foreign_tables_are_changed_only_where_a_formula_was_protected(cell):
    text = restore(cell)
    assert text == cell or protect(text) == cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        (" =1", "' =1"),
        ("\t=1", "'\\t=1"),
        ("x;=1", "'x;\\x3d1"),
        ('"=1', "'\"\\x3d1"),
        ("a\nb", "'a\\nb"),
        ("M\udcfcller", "'M\\xfcller"),
        ("\x1b[31m", "'\\x1b[31m"),
        ("'=1", "''\\x3d1"),
    ],
)
def test_formulas_and_unprintable_characters_are_protected(text, cell):
    assert protect(text) == cell
    assert restore(cell) == text


@pytest.mark.parametrize(
    "text", ["-0.5", "+1", "-1e-9", "a", "'abc", "C:\\new", "it's", "x, -1", "Müller"]
)
def test_numbers_and_plain_text_stay(text):
    assert protect(text) == text
    assert restore(text) == text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TEXT.filter(lambda t: "\0" not in t), TEXT), max_size=5))
def test_written_tables_are_read_back_with_one_line_for_each_row(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    written = [(f"{number}", *row) for number, row in enumerate(rows)]
    write_csv_table(path, ("number", "first", "second"), written)
    table = read_csv_table(path)
    assert [tuple(row.cells.values()) for row in table.rows] == written
    assert [row.line for row in table.rows] == list(range(2, 2 + len(rows)))


def test_numbers_are_written_as_numbers(tmp_path):
    write_csv_table(tmp_path / "n.csv", ("score", "count"), [(-0.5, 3), (1e-9, -7)])
    with (tmp_path / "n.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [["-0.5", "3"], ["1e-09", "-7"]]


def test_row_of_another_width_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="1 values under 2 columns"):
        write_csv_table(tmp_path / "n.csv", ("a", "b"), [("1",)])
    assert list(tmp_path.iterdir()) == []
