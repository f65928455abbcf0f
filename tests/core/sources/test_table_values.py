"""Attributes in a table: numbers with a decimal comma, dates in every order, mixed columns."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from elbow_core.errors import UserError
from elbow_core.sources.table.config import AttributeType
from elbow_core.sources.table.values import read_attribute, read_mapped
from elbow_core.tables import Sheet, read_sheet
from tests.support.spreadsheets import write_workbook

DAY = datetime.date(2024, 3, 5)


def column(tmp_path: Path, values: list[Any]) -> Sheet:
    rows = [["key", "value"], *(["x", value] for value in values)]
    return read_sheet(write_workbook(tmp_path / "t.xlsx", rows), ["key", "value"])


def refusal(tmp_path: Path, values: list[Any], kind: AttributeType | None) -> str:
    with pytest.raises(UserError) as caught:
        read_attribute(column(tmp_path, values), "value", kind)
    return str(caught.value).partition("sheet 'Sheet 1': ")[2]


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        (None, ["F", None, 34, 34.5, "34,5"], ["F", "", "34", "34.5", "34,5"]),
        (None, [DAY, None], ["2024-03-05", ""]),
        ("number", [34, 34.0, "34.50", "-1", None], ["34", "34", "34.5", "-1", ""]),
        ("decimal_comma", [34.5, "34,50", "34", None], ["34.5", "34.5", "34", ""]),
        ("date", [DAY, "2024-03-05", None], ["2024-03-05", "2024-03-05", ""]),
        ("date", [datetime.datetime(2024, 3, 5, 10, 1)], ["2024-03-05"]),
        ("day_first", ["05.03.2024", "5/3/2024", "05-03-2024"], ["2024-03-05"] * 3),
        ("day_first", [DAY, "2024-03-05", "05.03.2024"], ["2024-03-05"] * 3),
        ("month_first", ["03/05/2024", "3-5-2024"], ["2024-03-05"] * 2),
    ],
)
def test_attribute_is_read_as_its_type(tmp_path, kind, values, texts):
    assert read_attribute(column(tmp_path, values), "value", kind) == texts


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("number", "34,5", "'34,5' has a comma; its attribute type is decimal_comma"),
        ("number", "34 years", "'34 years' is not a number"),
        ("number", "1_000", "'1_000' is not a number"),
        ("number", True, "'TRUE' is not a number"),
        ("number", DAY, "'2024-03-05' is not a number"),
        ("decimal_comma", "34.5", "'34.5' has a point; write a decimal comma and no other mark"),
        ("decimal_comma", "1.234,5", "'1.234,5' is not a number"),
        ("decimal_comma", "1,234,5", "'1,234,5' is not a number"),
        ("date", "05.03.2024", "'05.03.2024' is no date of the form 2024-03-31"),
        ("date", 45356, "'45356' is no date of the form 2024-03-31"),
        ("date", "2024-02-30", "'2024-02-30' is no date: day is out of range for month"),
        ("date", datetime.time(10, 1), "'10:01:00' is no date"),
        ("day_first", "03/31/2024", "'03/31/2024' is no date: month must be in 1..12"),
        ("day_first", "05.03.24", "'05.03.24' is no date of the form 31.03.2024 or 2024-03-31"),
        ("month_first", "31/03/2024", "'31/03/2024' is no date: month must be in 1..12"),
    ],
)
def test_attribute_of_another_type_is_refused_with_its_cell(tmp_path, kind, value, message):
    assert refusal(tmp_path, [None, value], kind).startswith(
        f"row 3: column 'value' (B): {message}"
    )


def test_text_in_a_column_of_dates_is_refused_unless_its_type_is_named(tmp_path):
    assert refusal(tmp_path, [DAY, "06.03.2024"], None) == (
        "row 3: column 'value' (B): '06.03.2024' is no date, but other cells of the column are; "
        "correct them, or name the attribute in source.attribute_types"
    )
    assert read_attribute(column(tmp_path, [DAY, "06.03.2024"]), "value", "day_first") == [
        "2024-03-05",
        "2024-03-06",
    ]


@pytest.mark.parametrize(
    ("kind", "text"), [("day_first", "31/03/2024"), ("month_first", "03/31/2024")]
)
def test_dates_whose_days_a_spreadsheet_took_for_months_are_refused(tmp_path, kind, text):
    message = refusal(tmp_path, [text, None, DAY], kind)
    assert message.startswith("row 4: column 'value' (B): is a date, while all dates with a day ")
    later = datetime.date(2024, 3, 15)
    assert len(read_attribute(column(tmp_path, [text, later]), "value", kind)) == 2


@pytest.mark.parametrize(
    "text", ["no fracture", "No  Fracture", "NO\xa0FRACTURE", " no fracture\n"]
)
def test_text_is_found_in_the_configuration_in_any_spelling(tmp_path, text):
    sheet = column(tmp_path, [text])
    assert read_mapped(sheet, sheet.rows[0], "value", {"no fracture": 0}, "source.labels") == 0


@pytest.mark.parametrize(("value", "key"), [(1, "1"), (1.0, "1"), ("1", "1"), (True, "true")])
def test_numbers_and_truth_values_are_named_by_their_text(tmp_path, value, key):
    sheet = column(tmp_path, [value])
    assert read_mapped(sheet, sheet.rows[0], "value", {key: 7}, "source.labels") == 7
