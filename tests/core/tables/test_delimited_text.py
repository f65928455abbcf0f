"""Tables of plain text as spreadsheets write them."""

import re
from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.tables import read_sheet
from elbow_core.tables.sheet_cells import SheetCell
from elbow_core.tables.workbook_parts import MAX_SHEET_ROWS


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cells(path: Path, columns: str = "ab", header_row: int = 1) -> list[list[str]]:
    table = read_sheet(path, list(columns), header_row=header_row)
    return [[row.cells[column].text for column in columns] for row in table.rows]


def refusal(path: Path, header_row: int = 1, sheet: str | None = None) -> str:
    with pytest.raises(UserError) as caught:
        read_sheet(path, ["a", "b"], header_row=header_row, sheet=sheet)
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert "\n" not in message
    assert len(message) < 500
    return message.removeprefix(f"{path}:").strip()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiter_encoding_and_line_ends_of_spreadsheets_are_read(
    tmp_path, delimiter, encoding, end
):
    text = end.join([f"a{delimiter}b", f"ü{delimiter}34.5", f'"x{delimiter}"{delimiter}1', ""])
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    path = write(tmp_path / "t.txt", (mark + text).encode(encoding))
    assert cells(path) == [["ü", "34.5"], [f"x{delimiter.strip()}", "1"]]
    assert [row.number for row in read_sheet(path, ["a"]).rows] == [2, 3]


def test_place_is_file_line_and_column(tmp_path):
    table = read_sheet(write(tmp_path / "t.csv", "a;b\n1;2\n"), ["a", "b"])
    assert table.place(table.rows[0], "b") == f"{tmp_path / 't.csv'}:2: column 'b' (B)"
    assert table.place() == f"{tmp_path / 't.csv'}:1"


def test_column_names_decide_the_delimiter_and_not_the_number_of_commas(tmp_path):
    path = write(tmp_path / "t.csv", "a;b;x, y, z, and, more\n1;34,5;,,,,\n")
    assert cells(path) == [["1", "34,5"]]


def test_line_that_tells_a_spreadsheet_the_delimiter_is_no_row(tmp_path):
    path = write(tmp_path / "t.csv", "sep=;\na;b\n1;2\n")
    assert cells(path) == [["1", "2"]]
    assert read_sheet(path, ["a"]).rows[0].number == 3
    path = write(tmp_path / "t.csv", '\ufeff"sep=\t"\r\nTitle\t\r\na\tb\r\n1\t2\r\n')
    assert cells(path, header_row=2) == [["1", "2"]]
    assert "row 3 has all columns, so set header_row: 2" in refusal(path)


def test_rows_count_by_the_line_in_which_they_begin(tmp_path):
    path = write(tmp_path / "t.csv", '"a",b\n"1\n1",2\n\n3,4\n')
    table = read_sheet(path, ["a", "b"])
    assert [(row.number, row.cells["a"].text) for row in table.rows] == [(2, "1 1"), (5, "3")]


def test_title_above_the_header_is_refused_with_the_line_of_the_header(tmp_path):
    path = write(tmp_path / "t.csv", "Radiology, 2024\n\na;b\n1;2\n")
    assert refusal(path) == "1: has no column 'a'; row 3 has all columns, so set header_row: 3"
    assert cells(path, header_row=3) == [["1", "2"]]


def test_row_may_lack_empty_cells_at_its_end_but_have_none_beyond_the_header(tmp_path):
    path = write(tmp_path / "t.csv", "a;b;c\n1;2\n3\n4;5;6;;\n")
    assert cells(path, "abc") == [["1", "2", ""], ["3", "", ""], ["4", "5", "6"]]
    message = refusal(write(tmp_path / "u.csv", "a;b\n1;2;3\n"))
    assert (
        message == "2: 3 values under 2 columns; put a value that contains ';' into quotation marks"
    )


def test_cell_that_our_own_tables_protect_gets_its_text_back(tmp_path):
    assert cells(write(tmp_path / "t.csv", "a,b\n'=1+1,'abc\n")) == [["=1+1", "'abc"]]


@pytest.mark.parametrize(
    "error",
    ["#N/A", "#NV", "#REF!", "#BEZUG!", "#DIV/0!", "#NAME?", "#¡REF!", "#N/D", "#ZAHL!", "#####"],
)
def test_error_of_a_spreadsheet_in_any_language_has_no_value(tmp_path, error):
    table = read_sheet(write(tmp_path / "t.csv", f"a;b\n1;{error}\n"), ["a", "b"])
    assert table.rows[0].cells["b"] == SheetCell(
        "", "text", f"is {error}, an error of the spreadsheet; correct it"
    )


@pytest.mark.parametrize("text", ["#1", "# 5", "#left", "#A"])
def test_text_with_a_number_sign_is_text(tmp_path, text):
    assert cells(write(tmp_path / "t.csv", f"a;b\n1;{text}\n")) == [["1", text]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Größe;a\nü;1\n".encode("cp1252"), "line 1 is not UTF-8 text; save it as UTF-8"),
        ("a;b\nx;ü\n".encode("cp1252"), "line 2 is not UTF-8 text; save it as UTF-8"),
        ("a;b\n1;2\n".encode("utf-16-le"), "1: contains a null byte"),
        ("a;b\n1;2\n".encode("utf-32"), "it is UTF-32 text; save it as UTF-8"),
        ("a;b\n1;2\n".encode("utf-16")[:-1], "line 2 is not UTF-16 text; save it as UTF-8"),
        ("a;b;a\n1;2;3\n", "1: has two columns 'a', A and C; rename one"),
        ("a;c\n1;2\n", "1: has no column 'b'; its columns are 'a', 'c'"),
        ("a|b\n1|2\n", "1: has no column 'a'; its columns are 'a|b'"),
        ("", "1: has no column 'a'; its columns are empty"),
        ('a;b\n"1;2\n', "2: is not CSV: unexpected end of data"),
        ("a,b\n" + "," * 1000 + "\n", "2: has 1001 columns, more than 1000"),
        ("a,b\n" + "x" * 140_000 + "\n", "the line has more than 131072 characters"),
        (b"a" * (2**26 + 1), "is larger than 64 MiB; divide the table"),
        ("<html><table><tr><td>a</td></tr></table>", "is a page, a document or XML"),
        ('<?xml version="1.0"?><Workbook/>', "is a page, a document or XML"),
    ],
)
def test_text_that_is_no_plain_table_is_refused_with_its_line(tmp_path, content, message):
    assert message in refusal(write(tmp_path / "t.csv", content))


def test_cell_of_too_many_characters_or_a_control_character_has_no_value(tmp_path):
    path = write(tmp_path / "t.csv", f"a,b\n{'x' * 32_768},y\x07z\n")
    (row,) = read_sheet(path, ["a", "b"]).rows
    assert row.cells["a"].problem == "has 32768 characters, more than 32767"
    assert "contains a control character" in row.cells["b"].problem


def test_long_cell_of_many_rows_is_refused(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n" + "1,2\n" * 5000 + "x" * 30_000 + ",1\n")
    assert refusal(path).startswith("5002: column 'a' (A): has 30000 characters, too many")


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("elbow_core.tables.delimited_text.MAX_ROWS", 3)
    path = write(tmp_path / "t.csv", "a,b\n1,2\n1,2\n1,2\n1,2\n")
    assert refusal(path) == "5: has more than 3 rows"
    assert MAX_SHEET_ROWS == 1_048_576


def test_text_has_no_sheets(tmp_path):
    path = write(tmp_path / "t.csv", "a,b\n1,2\n")
    assert refusal(path, sheet="one") == "is text and has no sheet 'one'; leave the sheet out"


def test_file_that_cannot_be_read_is_named(tmp_path):
    assert re.search("cannot be read: No such file", refusal(tmp_path / "gone.csv"))
    assert "is not a regular file" in refusal(tmp_path)
