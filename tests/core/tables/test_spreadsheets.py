"""Workbooks: what each kind of cell is read as, or why it is none; headers, sheets, rows."""

import builtins
import datetime
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl.styles import Font
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from elbow_core.errors import UserError
from elbow_core.tables import read_sheet
from elbow_core.tables.sheet_cells import SheetCell
from tests.support.spreadsheets import SHEET, alter_part, share_strings, write_workbook


def cell_of(tmp_path: Path, value: Any, number_format: str | None = None) -> SheetCell:
    """Return what a value is read as."""

    def change(_: Any, sheet: Any) -> None:
        if number_format is not None:
            sheet["B2"].number_format = number_format

    path = write_workbook(tmp_path / "t.xlsx", [["key", "value"], ["x", value]], change)
    (row,) = read_sheet(path, ["key", "value"]).rows
    return row.cells["value"]


def problem_of(tmp_path: Path, value: Any, number_format: str | None = None) -> str:
    cell = cell_of(tmp_path, value, number_format)
    assert cell.text == ""
    return cell.problem


def refusal(path: Path, columns: list[str] | None = None, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        read_sheet(path, columns or ["a", "b"], **options)
    message = str(caught.value)
    assert message.startswith(f"{path}")
    assert "\n" not in message
    assert len(message) < 500
    return message.removeprefix(f"{path}").removeprefix(": ")


@pytest.mark.parametrize(
    ("value", "text", "kind"),
    [
        ("fracture", "fracture", "text"),
        ("00123", "00123", "text"),
        (" \u200bfracture\xa0\t", "fracture", "text"),
        ("no\xa0fracture", "no\xa0fracture", "text"),
        ("two\nlines", "two lines", "text"),
        ("two_x000D_\nlines", "two lines", "text"),
        (" \xa0\n", "", "empty"),
        (None, "", "empty"),
        (123, "123", "number"),
        (123.0, "123", "number"),
        (-5, "-5", "number"),
        (34.5, "34.5", "number"),
        (0.1 + 0.2, "0.3", "number"),
        (True, "TRUE", "boolean"),
        (False, "FALSE", "boolean"),
        (datetime.datetime(2024, 3, 5), "2024-03-05", "date"),
        (datetime.date(2024, 3, 5), "2024-03-05", "date"),
        (datetime.datetime(2024, 3, 5, 10, 1), "2024-03-05 10:01:00", "date"),
        (datetime.time(10, 1), "10:01:00", "date"),
        ("05.03.2024", "05.03.2024", "text"),
        ("34,5", "34,5", "text"),
    ],
)
def test_value_is_read_as_its_plain_text(tmp_path, value, text, kind):
    assert cell_of(tmp_path, value) == SheetCell(text, kind)


def test_text_is_read_from_where_excel_keeps_it(tmp_path):
    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["ü", "&amp;"], ["ü", "y"]])
    before = read_sheet(path, ["a", "b"])
    share_strings(path)
    with zipfile.ZipFile(path) as archive:
        assert b"<t" not in archive.read(SHEET)
    assert read_sheet(path, ["a", "b"]) == before
    assert before.rows[0].cells["a"].text == "ü"


def test_number_of_pandas_with_decimal_is_whole(tmp_path):
    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], [7, 1]])
    alter_part(path, SHEET, lambda data: data.replace(b"<v>7</v>", b"<v>7.0</v>"))
    assert read_sheet(path, ["a"]).rows[0].cells["a"] == SheetCell("7", "number")


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [(123, "00000", "00123"), (123456, "00000", "123456"), (123, "0", "123"), (12, "0.00", "12")],
)
def test_leading_zeros_that_a_format_shows_are_read(tmp_path, value, number_format, text):
    assert cell_of(tmp_path, value, number_format) == SheetCell(text, "number")


def test_date_counts_from_the_epoch_of_the_workbook(tmp_path):
    def change(workbook: Any, _: Any) -> None:
        workbook.epoch = CALENDAR_MAC_1904

    day = datetime.date(2024, 3, 5)
    path = write_workbook(tmp_path / "t.xlsx", [["a"], [day]], change)
    assert read_sheet(path, ["a"]).rows[0].cells["a"].text == "2024-03-05"


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!"])
def test_error_cell_has_no_value(tmp_path, error):
    assert problem_of(tmp_path, error) == f"is {error}, an error of the spreadsheet; correct it"


def test_date_beyond_the_calendar_is_an_error_cell(tmp_path):
    assert "is #VALUE!, an error" in problem_of(tmp_path, 1e9, "yyyy-mm-dd")


def test_duration_has_no_value(tmp_path):
    assert "is a duration" in problem_of(tmp_path, datetime.timedelta(hours=30))


def test_formula_without_a_stored_value_has_none(tmp_path):
    assert "is a formula without a stored value" in problem_of(tmp_path, "=1+1")


@pytest.mark.parametrize(
    ("stored", "cell"),
    [
        (b"<c r='B2'><f>A1</f><v>12</v></c>", SheetCell("12", "number")),
        (b"<c r='B2' t='str'><f>A1</f><v>ap</v></c>", SheetCell("ap", "text")),
        (b"<c r='B2' t='str'><f>A1</f><v></v></c>", SheetCell("", "empty")),
        (b"<c r='B2' t='b'><f>A1</f><v>1</v></c>", SheetCell("TRUE", "boolean")),
        (b"<c t='str'><f>A1</f><v>ap</v></c>", SheetCell("ap", "text")),
    ],
)
def test_formula_has_the_value_that_was_stored(tmp_path, stored, cell):
    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", "=A1"]])
    with_value = b'<c r="B2"><f>A1</f><v></v></c>'
    alter_part(
        path,
        SHEET,
        lambda data: data.replace(b"<v />", b"<v></v>").replace(with_value, stored),
    )
    assert read_sheet(path, ["a", "b"]).rows[0].cells["b"] == cell


def test_merged_cells_have_no_value_and_others_do(tmp_path):
    def change(_: Any, sheet: Any) -> None:
        sheet.merge_cells("A2:A3")

    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1], [None, 2], ["y", 3]], change)
    rows = read_sheet(path, ["a", "b"]).rows
    problem = "is merged (A2:A3); unmerge it and fill in each cell"
    assert [row.cells["a"].problem for row in rows] == [problem, problem, ""]
    assert [row.cells["b"].text for row in rows] == ["1", "2", "3"]


def test_merged_header_is_refused_with_its_range(tmp_path):
    def change(_: Any, sheet: Any) -> None:
        sheet.merge_cells("A1:B1")

    path = write_workbook(tmp_path / "t.xlsx", [["a", None], ["x", 1]], change)
    assert "one of its names is merged (A1:B1)" in refusal(path)


def test_merged_title_above_the_header_does_not_matter(tmp_path):
    def change(_: Any, sheet: Any) -> None:
        sheet.merge_cells("A1:B1")

    path = write_workbook(tmp_path / "t.xlsx", [["Title", None], ["a", "b"], ["x", 1]], change)
    assert read_sheet(path, ["a", "b"], header_row=2).rows[0].cells["b"].text == "1"


def test_title_above_the_header_is_refused_with_the_row_of_the_header(tmp_path):
    path = write_workbook(tmp_path / "t.xlsx", [["Title"], [], ["a", "b"], ["x", 1]])
    message = refusal(path)
    assert message == (
        "sheet 'Sheet 1': row 1: has no column 'a'; row 3 has all columns, so set header_row: 3"
    )


def test_missing_column_is_refused_with_those_that_exist(tmp_path):
    path = write_workbook(tmp_path / "t.xlsx", [["a", "Befund"], ["x", 1]])
    assert "row 1: has no column 'b'; its columns are 'a', 'Befund'" in refusal(path)
    path = write_workbook(tmp_path / "t.xlsx", [[f"c{n}" for n in range(20)], ["x", 1]])
    assert "'c11' and 8 more" in refusal(path)


def test_columns_are_found_in_any_spelling_and_named_as_asked(tmp_path):
    path = write_workbook(tmp_path / "t.xlsx", [["Datei\xa0", "BEFUND\n(0/1)"], ["x", 1]])
    table = read_sheet(path, ["datei", "Befund (0/1)"])
    assert set(table.rows[0].cells) == {"datei", "Befund (0/1)"}
    assert table.place(table.rows[0], "Befund (0/1)") == (
        f"{path}: sheet 'Sheet 1': row 2: column 'Befund (0/1)' (B)"
    )


def test_wanted_column_twice_is_refused_and_another_one_is_not(tmp_path):
    path = write_workbook(tmp_path / "t.xlsx", [["a", "b", "c", "b ", "c"], ["x", 1, 2, 3, 4]])
    assert "row 1: has two columns 'b', B and D; rename one" in refusal(path)
    assert read_sheet(path, ["a"]).rows[0].cells["a"].text == "x"


def test_empty_rows_are_left_out_and_counted(tmp_path):
    rows = [["a", "b", "note"], [None, None, "Total"], ["x", 1], [" ", "\xa0"], ["y", 2], [None]]

    def change(_: Any, sheet: Any) -> None:
        sheet["A1048576"].font = Font(bold=True)

    path = write_workbook(tmp_path / "t.xlsx", rows, change)
    assert [row.number for row in read_sheet(path, ["a", "b"]).rows] == [3, 5]


def test_hidden_and_filtered_rows_are_marked(tmp_path):
    def change(_: Any, sheet: Any) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet.auto_filter.ref = "A1:B4"

    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1], ["y", 2], ["z", 3]], change)
    assert [row.hidden for row in read_sheet(path, ["a"]).rows] == [False, True, False]


def test_hidden_column_is_read(tmp_path):
    def change(_: Any, sheet: Any) -> None:
        sheet.column_dimensions["B"].hidden = True

    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1]], change)
    assert read_sheet(path, ["a", "b"]).rows[0].cells["b"].text == "1"


def test_only_visible_sheet_is_read_and_a_hidden_one_by_its_name(tmp_path):
    def change(workbook: Any, _: Any) -> None:
        for state in ("hidden", "veryHidden"):
            other = workbook.create_sheet(state)
            other.append(["a", "b"])
            other.append([state, 1])
            other.sheet_state = state

    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1]], change)
    assert read_sheet(path, ["a"]).rows[0].cells["a"].text == "x"
    for state in ("hidden", "veryHidden"):
        table = read_sheet(path, ["a"], sheet=state)
        assert (table.name, table.rows[0].cells["a"].text) == (state, state)
    assert refusal(path, sheet="gone") == (
        "has no sheet 'gone'; its sheets are 'Sheet 1', 'hidden' (hidden), 'veryHidden' (hidden)"
    )


def test_several_visible_sheets_are_refused_unless_one_is_named(tmp_path):
    def change(workbook: Any, _: Any) -> None:
        workbook.create_sheet("more").append(["a", "b"])

    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1]], change)
    assert refusal(path) == "has 2 visible sheets; name one of 'Sheet 1', 'more'"
    assert len(read_sheet(path, ["a", "b"], sheet="Sheet 1").rows) == 1


def test_workbook_with_macros_is_read_and_they_are_not(tmp_path):
    path = write_workbook(tmp_path / "t.xlsm", [["a", "b"], ["x", 1]])
    plain = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    macros = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    alter_part(path, "[Content_Types].xml", lambda data: data.replace(plain, macros))
    assert read_sheet(path, ["a"]).rows[0].cells["a"].text == "x"


def test_columns_behind_the_thousandth_are_not_found(tmp_path):
    header = [f"c{number}" for number in range(1001)]
    path = write_workbook(tmp_path / "t.xlsx", [header, range(1001)])
    assert read_sheet(path, ["c999"]).rows[0].cells["c999"].text == "999"
    assert "has no column 'c1000'" in refusal(path, ["c1000"])


def test_content_decides_and_not_the_name(tmp_path):
    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1]])
    path = path.rename(tmp_path / "t.csv")
    assert read_sheet(path, ["a"]).rows[0].cells["a"].text == "x"


def test_missing_library_is_named_with_the_way_to_install_it(tmp_path, monkeypatch):
    path = write_workbook(tmp_path / "t.xlsx", [["a", "b"], ["x", 1]])
    text = tmp_path / "t.csv"
    text.write_text("a,b\nx,1\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "openpyxl"]:
        monkeypatch.delitem(sys.modules, name)
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("openpyxl"):
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert "pip install 'elbow-radiographs[spreadsheets]'" in refusal(path)
    assert len(read_sheet(text, ["a", "b"]).rows) == 1
