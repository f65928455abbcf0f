"""A table of labels: what its rows give, contradict and leave out."""

from pathlib import Path
from typing import Any

import pytest

from elbow_core.sources import scan
from tests.support.label_tables import (
    COLUMNS,
    FILES,
    HEADER,
    ROWS,
    SOURCE,
    reasons,
    refusal,
    source,
    table,
    write_files,
)
from tests.support.spreadsheets import write_workbook


@pytest.fixture
def root(tmp_path) -> Path:
    write_files(tmp_path)
    table(tmp_path, ROWS)
    return tmp_path


def test_table_gives_label_ids_split_view_body_part_finding_and_attributes(root):
    found = scan(root, SOURCE)
    first, second = found.rows
    assert (first.image_id, first.path, first.label) == ("a/1.png", "a/1.png", 1)
    assert (first.patient_id, first.study_id, first.split) == ("P1", "P1/S1", "train")
    assert (first.view, first.body_part, first.finding) == ("ap", "elbow", "fracture")
    assert (first.attributes, first.source) == ((("sex", "F"),), "table")
    assert (second.path, second.label, second.finding) == ("b/2.jpg", 0, "no fracture")
    assert (second.view, second.body_part, second.split) == ("lateral", "", "test")
    assert found.without_patients == ""
    # The table itself is no file that was passed over.
    assert reasons(found) == {
        "b/3.dcm": "has the label 'unclear' in labels.xlsx, and source.labels leaves it out"
    }


def test_finding_has_a_column_of_its_own(root):
    columns = COLUMNS.model_copy(update={"finding": "Region"})
    rows = scan(root, SOURCE.model_copy(update={"columns": columns})).rows
    assert [row.finding for row in rows] == ["elbow", ""]


def test_without_a_column_of_patients_each_image_is_its_own_and_that_is_said(root):
    found = scan(root, source(file="Datei").model_copy(update={"labels": SOURCE.labels}))
    assert [(row.patient_id, row.study_id) for row in found.rows] == [
        ("a/1.png", "a/1.png"),
        ("b/2.jpg", "b/2.jpg"),
    ]
    assert "source.columns.patient" in found.without_patients


def test_body_part_of_all_images_stands_in_the_configuration(tmp_path):
    write_files(tmp_path, ["1.png"])
    write_workbook(tmp_path / "labels.xlsx", [["Datei", "Befund"], ["1.png", "fracture"]])
    config = source(file="Datei").model_copy(update={"body_part": "elbow"})
    assert scan(tmp_path, config).rows[0].body_part == "elbow"


def test_row_without_an_image_and_image_without_a_row_are_rejected(root):
    table(root, [*ROWS[:2], ["gone.png", "fracture", "P9", "S", None, None, None, None]])
    (root / "notes.txt").write_text("x")
    assert reasons(scan(root, SOURCE)) == {
        "gone.png": "is listed in labels.xlsx but no image has this name",
        "b/3.dcm": "is not listed in labels.xlsx",
        "notes.txt": "has no image suffix (.png, .jpg, .jpeg, .dcm) and is not DICOM",
    }


def test_image_with_two_labels_is_a_contradiction(root):
    table(root, [*ROWS, ["1", "no fracture", "P1", "S1", None, None, None, None]])
    found = scan(root, SOURCE)
    (entry,) = [entry for entry in found.rejected if entry.contradiction]
    assert (entry.path, entry.reason) == (
        "a/1.png",
        "has two labels: 'fracture' in row 2 of labels.xlsx and 'no fracture' in row 5",
    )
    assert "a/1.png" not in {row.path for row in found.rows}


def test_image_with_a_label_and_one_that_is_left_out_is_a_contradiction(root):
    table(root, [*ROWS, ["1", "unclear", "P1", "S1", None, None, None, None]])
    (entry,) = [entry for entry in scan(root, SOURCE).rejected if entry.contradiction]
    assert (entry.path, "'unclear' in row 5" in entry.reason) == ("a/1.png", True)


def test_image_that_is_listed_twice_with_one_label_is_refused(root):
    table(root, [*ROWS, ["A/1", "Fracture", "P1", "S1", None, None, None, None]])
    assert refusal(root, SOURCE) == (
        "T: sheet 'Befunde': row 5: column 'Datei' (A): is the image of row 2 again; keep one row"
    )


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (0, None, "column 'Datei' (A): is empty; fill it in or delete the row"),
        (1, "maybe", "column 'Befund' (B): 'maybe' is not in source.labels ('fracture', "),
        (1, None, "column 'Befund' (B): an empty cell is not in source.labels"),
        (1, True, "column 'Befund' (B): 'TRUE' is not in source.labels"),
        (1, "#N/A", "column 'Befund' (B): is #N/A, an error of the spreadsheet"),
        (1, "=1+1", "column 'Befund' (B): is a formula without a stored value"),
        (2, None, "column 'Patient' (C): is empty; fill it in or delete the row"),
        (3, None, "column 'Studie' (D): is empty"),
        (4, "dev", "column 'Teil' (E): 'dev' is not in source.splits ('train', "),
        (5, "skyline", "column 'Projektion' (F): 'skyline' is not in source.views ('ap', "),
        (6, "#REF!", "column 'Region' (G): is #REF!"),
        (7, "=A1", "column 'Sex' (H): is a formula without a stored value"),
    ],
)
def test_cell_without_a_plain_value_ends_the_command_with_its_place(root, column, value, message):
    rows = [list(row) for row in ROWS]
    rows[1][column] = value
    table(root, rows)
    refused = refusal(root, SOURCE)
    assert refused.startswith("T: sheet 'Befunde': row 3: ")
    assert message in refused


def test_empty_label_is_left_out_where_the_configuration_says_so(root):
    rows = [list(row) for row in ROWS]
    rows[1][1] = None
    table(root, rows)
    config = SOURCE.model_copy(update={"labels": {**SOURCE.labels, "": None}})
    found = reasons(scan(root, config))
    assert found["b/2.jpg"] == "has no label in labels.xlsx, and source.labels leaves it out"


def test_columns_that_are_not_named_may_contain_anything(root):
    rows = [[*row, "#N/A", "=1+1"] for row in ROWS]
    write_workbook(root / "labels.xlsx", [[*HEADER, "x", "x"], *rows])
    assert len(scan(root, SOURCE).rows) == 2


def test_hidden_rows_are_refused_read_or_skipped_as_the_configuration_says(root):
    def change(_: Any, sheet: Any) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet["B3"] = "maybe"

    table(root, ROWS, change)
    assert refusal(root, SOURCE) == (
        "T: sheet 'Befunde': row 3: is hidden or filtered out, the first of 1 such rows; show "
        "them, or set source.hidden_rows to read or skip"
    )
    skipped = scan(root, SOURCE.model_copy(update={"hidden_rows": "skip"}))
    assert [row.path for row in skipped.rows] == ["a/1.png"]
    assert reasons(skipped)["b/2.jpg"] == (
        "is in a hidden row of labels.xlsx, and source.hidden_rows is skip"
    )
    assert "'maybe'" in refusal(root, SOURCE.model_copy(update={"hidden_rows": "read"}))


def test_image_in_a_hidden_and_a_visible_row_is_used(root):
    def change(_: Any, sheet: Any) -> None:
        sheet.append(["1", "no fracture", "P1", "S1"])
        sheet.row_dimensions[5].hidden = True

    table(root, ROWS, change)
    found = scan(root, SOURCE.model_copy(update={"hidden_rows": "skip"}))
    assert [row.label for row in found.rows if row.path == "a/1.png"] == [1]


def test_table_is_found_in_the_root_or_in_the_working_directory(
    root, tmp_path_factory, monkeypatch
):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert len(scan(root, SOURCE).rows) == 2
    (root / "labels.xlsx").rename(elsewhere / "labels.xlsx")
    assert len(scan(root, SOURCE).rows) == 2
    absolute = SOURCE.model_copy(update={"table": elsewhere / "labels.xlsx"})
    assert len(scan(root, absolute).rows) == 2
    write_workbook(root / "labels.xlsx", [["a"]])
    assert "labels.xlsx both exist; write the path in full" in refusal(root, SOURCE)
    (root / "labels.xlsx").unlink()
    (root / "labels.xlsx").symlink_to(elsewhere / "labels.xlsx")
    assert set(reasons(scan(root, SOURCE))) == {"b/3.dcm"}
    gone = SOURCE.model_copy(update={"table": Path("gone.csv")})
    assert refusal(root, gone) == (
        "source.table: ROOT/gone.csv does not exist, and neither does gone.csv"
    )


def test_table_of_which_no_row_finds_an_image_is_refused_with_examples_of_both(root):
    rows = [[f"IMG{n}", *row[1:]] for n, row in enumerate(ROWS)]
    table(root, rows)
    assert refusal(root, SOURCE) == (
        "T: sheet 'Befunde': row 2: column 'Datei' (A): neither this nor any other row has the "
        "name of one of the 3 images below ROOT: the column has 'IMG0', 'IMG1', 'IMG2'; they are "
        "a/1.png, b/2.jpg, b/3.dcm"
    )


def test_table_without_rows_and_folder_without_images_are_named(root):
    table(root, [])
    assert refusal(root, SOURCE) == "T: sheet 'Befunde': row 1: lists no images below its header"
    for name in FILES:
        (root / name).unlink()
    assert refusal(root, SOURCE) == "ROOT: contains no images"
    assert refusal(root / "gone", SOURCE) == "ROOT: is not a folder"


def test_text_file_is_read_as_well(tmp_path):
    write_files(tmp_path)
    text = "\n".join(";".join(str(cell or "") for cell in row) for row in [HEADER, *ROWS])
    (tmp_path / "labels.csv").write_bytes(text.encode("utf-8-sig"))
    found = scan(tmp_path, SOURCE.model_copy(update={"table": Path("labels.csv")}))
    assert [row.path for row in found.rows] == ["a/1.png", "b/2.jpg"]
    (tmp_path / "labels.csv").write_text(text.replace("No  Fracture", "maybe"))
    config = SOURCE.model_copy(update={"table": Path("labels.csv")})
    assert f"{tmp_path / 'labels.csv'}:3: column 'Befund' (B): 'maybe' is" in refusal(
        tmp_path, config
    ).replace("ROOT", str(tmp_path))
