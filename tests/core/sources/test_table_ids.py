"""Ids that a spreadsheet took for numbers or dates."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from elbow_core.errors import UserError
from elbow_core.sources.table.ids import read_ids
from elbow_core.tables import Sheet, read_sheet
from tests.support.spreadsheets import write_workbook


def column(tmp_path: Path, ids: list[Any], *, text: bool = False) -> Sheet:
    if text:
        path = tmp_path / "t.csv"
        path.write_text("\n".join(["id;x", *(f"{value};x" for value in ids)]))
    else:
        path = write_workbook(tmp_path / "t.xlsx", [["id", "x"], *([value, "x"] for value in ids)])
    return read_sheet(path, ["id", "x"])


def refusal(sheet: Sheet, row: int) -> str:
    with pytest.raises(UserError) as caught:
        read_ids(sheet, "id")
    message = str(caught.value)
    place = f"sheet 'Sheet 1': row {row}" if sheet.name else f"t.csv:{row}"
    assert f"{place}: column 'id' (A): " in message
    return message.partition("column 'id' (A): ")[2]


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["P1", " P2\xa0", None], ["P1", "P2", ""]),
        ([123, "123", 123.0], ["123", "123", "123"]),
        (["00123", "0124"], ["00123", "0124"]),
        (["123.0", "7.0", None], ["123", "7", ""]),
        (["1.10", "1.2"], ["1.10", "1.2"]),
        ([999_999_999_999_999], ["999999999999999"]),
        (["1234567890123456"], ["1234567890123456"]),
        (["2024-03-05"], ["2024-03-05"]),
    ],
)
def test_ids_are_read_as_text(tmp_path, given, ids):
    assert read_ids(column(tmp_path, given), "id") == ids


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (datetime.date(2024, 3, 5), "is a date and no id; format the column as text"),
        (True, "is TRUE or FALSE and no id"),
        (12.5, "is a number with a sign or decimals and no id"),
        (-12, "is a number with a sign or decimals and no id"),
        (1_234_567_890_123_456, "is a number of more than 15 digits, and lost the others"),
        (1.23456789012346e17, "is a number of more than 15 digits"),
        ("1.23457E+17", "is a number in scientific notation, and lost digits"),
        ("1,23457e17", "is a number in scientific notation"),
        ("123.0", "ends in .0, unlike others in this column"),
    ],
)
def test_id_that_was_damaged_is_refused_with_its_cell_and_not_quoted(tmp_path, value, message):
    refused = refusal(column(tmp_path, ["P1", value]), 3)
    assert message in refused
    assert "123" not in refused.replace("column", "")


def test_damaged_ids_of_text_files_are_refused_as_well(tmp_path):
    assert "scientific" in refusal(column(tmp_path, ["P1", "1,23457E+17"], text=True), 3)
    assert "ends in .0" in refusal(column(tmp_path, ["12.0", "P1"], text=True), 2)
    assert read_ids(column(tmp_path, ["12.0", "7.0"], text=True), "id") == ["12", "7"]


def test_number_beside_the_same_id_with_leading_zeros_is_refused(tmp_path):
    sheet = column(tmp_path, ["00123", 124, 123])
    assert "another row has it with leading zeros" in refusal(sheet, 4)


def test_texts_that_differ_by_leading_zeros_are_two_ids(tmp_path):
    assert read_ids(column(tmp_path, ["00123", "123"]), "id") == ["00123", "123"]
    assert read_ids(column(tmp_path, ["00123", "123"], text=True), "id") == ["00123", "123"]
