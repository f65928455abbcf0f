"""A folder of images and a table of labels: rows, images without a row, rows without an image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from elbow_core.errors import UserError
from elbow_core.sources import ScanResult, TableColumns, TableSource, scan
from tests.support.dicom_files import dicom
from tests.support.spreadsheets import write_workbook

HEADER = ["Datei", "Befund", "Patient", "Studie", "Teil", "Projektion", "Region", "Sex"]
ROWS = [
    ["a/1.png", "fracture", "P1", "S1", "train", "AP", "elbow", "F"],
    ["2.jpg", "No  Fracture", "P2", "S1", "test", "lat", None, "M"],
    ["3", "unclear", "P3", "S2", None, None, "wrist", None],
]
FILES = ("a/1.png", "b/2.jpg", "b/3.dcm")
COLUMNS = TableColumns(
    file="Datei",
    label="Befund",
    patient="Patient",
    study="Studie",
    split="Teil",
    view="Projektion",
    body_part="Region",
)
SOURCE = TableSource(
    table=Path("labels.xlsx"),
    columns=COLUMNS,
    labels={"fracture": 1, "no fracture": 0, "unclear": None},
    views={"lat": "lateral"},
    attributes={"sex": "Sex"},
)
PIXELS = np.arange(48 * 40, dtype=np.uint16).reshape(48, 40)


def write_files(root: Path, names: tuple[str, ...] | list[str] = FILES) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def table(root: Path, rows: list[list[Any]], change: Any = None) -> Path:
    return write_workbook(root / "labels.xlsx", [HEADER, *rows], change, "Befunde")


def source(**columns: str) -> TableSource:
    """Return a source of these columns and the label alone."""
    return TableSource(
        table=Path("labels.xlsx"),
        columns=TableColumns(label="Befund", **columns),
        labels={"fracture": 1, "no fracture": 0},
    )


def simple(root: Path, names: list[Any], paths: list[str], key: str = "file") -> ScanResult:
    """Scan files with a table whose rows have these names and are all fractures."""
    write_files(root, paths)
    write_workbook(root / "labels.xlsx", [["Datei", "Befund"], *([n, "fracture"] for n in names)])
    return scan(root, source(**{key: "Datei"}))


def reasons(found: ScanResult) -> dict[str, str]:
    return {entry.path: entry.reason for entry in found.rejected}


def refusal(root: Path, config: TableSource) -> str:
    with pytest.raises(UserError) as caught:
        scan(root, config)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message.replace(f"{root / 'labels.xlsx'}", "T").replace(str(root), "ROOT")


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


@pytest.mark.parametrize(
    "name",
    ["a/1.png", "./a/1.png", "a\\1.png", "a//1", "a/1", "1.png", "1", "A/1.PNG", "1.PNG", " 1.png"],
)
def test_image_is_found_by_path_or_name_with_or_without_suffix(tmp_path, name):
    found = simple(tmp_path, [name], ["a/1.png", "a/2.png"])
    assert [row.path for row in found.rows] == ["a/1.png"]
    assert reasons(found) == {"a/2.png": "is not listed in labels.xlsx"}


def test_absolute_path_below_the_root_is_found(tmp_path):
    found = simple(tmp_path, [str(tmp_path / "a/1.png"), "/elsewhere/a/1.png"], ["a/1.png"])
    assert [row.path for row in found.rows] == ["a/1.png"]
    assert set(reasons(found)) == {"/elsewhere/a/1.png"}


def test_upper_and_lower_case_count_where_both_exist(tmp_path):
    found = simple(tmp_path, ["a.png", "A.PNG"], ["a.png", "A.PNG"])
    assert [row.path for row in found.rows] == ["A.PNG", "a.png"]
    with pytest.raises(UserError, match=r"fits 2 images: A\.PNG, a\.png"):
        simple(tmp_path, ["A.png"], ["a.png", "A.PNG"])


def test_name_with_the_last_number_of_a_uid_has_no_suffix(tmp_path):
    (tmp_path / "1.2.34").write_bytes(dicom(PIXELS))
    assert simple(tmp_path, ["1.2.34"], ["2.png"]).rows[0].path == "1.2.34"
    assert "1.2" in reasons(simple(tmp_path, ["1.2", 2], ["2.png"]))


@pytest.mark.parametrize(
    ("paths", "name"), [(["a/1.png", "b/1.png"], "1.png"), (["1.png", "1.jpg"], "1")]
)
def test_name_of_two_images_is_refused_and_a_path_is_not(tmp_path, paths, name):
    first, second = sorted(paths)
    write_files(tmp_path, paths)
    write_workbook(tmp_path / "labels.xlsx", [["Datei", "Befund"], [name, "fracture"]])
    assert refusal(tmp_path, source(file="Datei")) == (
        f"T: sheet 'Sheet 1': row 2: column 'Datei' (A): fits 2 images: {first}, {second}; write "
        "the path from the data root, with its suffix and leading zeros"
    )
    assert simple(tmp_path, [f"./{first}"], paths).rows[0].path == first


@pytest.mark.parametrize("name", [123, "123", 123.0])
def test_lost_leading_zeros_are_found_where_one_name_has_them(tmp_path, name):
    found = simple(tmp_path, [name, 0], ["00123.png", "000.png", "1123.png"])
    assert [row.path for row in found.rows] == ["000.png", "00123.png"]


@pytest.mark.parametrize("paths", [["00123.png", "123.png"], ["00123.png", "0123.png"]])
def test_lost_leading_zeros_that_fit_two_names_are_refused(tmp_path, paths):
    with pytest.raises(UserError, match=r"row 2: column 'Datei' \(A\): fits 2 images: .*zeros"):
        simple(tmp_path, [123], paths)
    assert len(simple(tmp_path, ["00123.png", paths[1]], paths).rows) == 2


def test_digits_with_a_leading_zero_fit_no_other_number_of_zeros(tmp_path):
    assert set(reasons(simple(tmp_path, ["0123", "1"], ["00123.png", "1.png"]))) == {
        "0123",
        "00123.png",
    }


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


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "B"}, "exactly one of file, sop_instance_uid, accession_number"),
        ({"label": "B", "file": "A", "sop_instance_uid": "U"}, "not file and sop_instance_uid"),
        ({"label": "B", "file": "A", "study": "S"}, "study needs patient"),
        ({"label": "", "file": "A"}, "is empty"),
        ({"label": "B ", "file": "A"}, "has a blank at its ends"),
        ({"label": "B", "file": "A" * 101}, "at most 100 characters"),
    ],
)
def test_columns_that_find_no_image_are_refused(columns, message):
    with pytest.raises(ValidationError, match=message):
        TableColumns(**columns)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": {}}, "at least 1 item"),
        ({"labels": {"a": 1, "A": 0}}, "are one text"),
        ({"labels": {"a ": 1, "b": 0}}, "has a blank at its ends"),
        ({"attributes": {"a\nb": "Sex"}}, "is not printable"),
        ({"labels": {"a": 2}}, "Input should be 0 or 1"),
        ({"views": {"x": "skyline"}}, "Input should be 'ap'"),
        ({"splits": {"x": "dev"}}, "Input should be 'train'"),
        ({"attribute_types": {"age": "number"}}, "'age' is not in attributes"),
        ({"body_part": "elbow"}, "columns.body_part too"),
        ({"header_row": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        TableSource.model_validate(SOURCE.model_dump() | changes)


UID, OTHER_UID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"


def write_dicom(root: Path) -> None:
    write_files(root, ["plain.png"])
    for name, uid, accession in (("1.dcm", UID, "A-001"), ("sub/2", OTHER_UID, "000777")):
        (root / name).parent.mkdir(exist_ok=True)
        data = dicom(PIXELS, SOPInstanceUID=uid, AccessionNumber=accession)
        (root / name).write_bytes(data)


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        ("sop_instance_uid", [UID, f" {OTHER_UID}\xa0"]),
        ("accession_number", ["a-001 ", 777]),
        ("accession_number", ["A-001", "000777"]),
    ],
)
def test_image_is_found_by_its_dicom_tag(tmp_path, key, texts):
    write_dicom(tmp_path)
    rows = [["Nr", "Befund"], [texts[0], "fracture"], [texts[1], "no fracture"]]
    write_workbook(tmp_path / "labels.xlsx", rows)
    found = scan(tmp_path, source(**{key: "Nr"}))
    assert [(row.path, row.label) for row in found.rows] == [("1.dcm", 1), ("sub/2", 0)]
    tag = "SOPInstanceUID" if key == "sop_instance_uid" else "AccessionNumber"
    assert reasons(found) == {"plain.png": f"has no {tag} that is listed in labels.xlsx"}


def test_row_whose_tag_no_image_has_is_rejected_by_its_row_and_not_by_its_tag(tmp_path):
    write_dicom(tmp_path)
    rows = [["Nr", "Befund"], ["A-001", "fracture"], ["A-002", "no fracture"]]
    write_workbook(tmp_path / "labels.xlsx", rows)
    found = reasons(scan(tmp_path, source(accession_number="Nr")))
    assert found["labels.xlsx:3"] == (
        "is listed in labels.xlsx but no image has this AccessionNumber"
    )


def test_accession_number_of_two_images_is_refused_with_their_names(tmp_path):
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / name).write_bytes(dicom(PIXELS, AccessionNumber="SECRET"))
    write_workbook(tmp_path / "labels.xlsx", [["Nr", "Befund"], ["SECRET", "fracture"]])
    message = refusal(tmp_path, source(accession_number="Nr"))
    assert "SECRET" not in message
    assert message.endswith(
        "column 'Nr' (A): is the AccessionNumber of 2 images: 1.dcm, 2.dcm; name each image by its "
        "file or its SOPInstanceUID"
    )


def test_tags_that_no_row_has_are_described_but_not_quoted(tmp_path):
    write_dicom(tmp_path)
    write_workbook(tmp_path / "labels.xlsx", [["Nr", "Befund"], ["X 12", "fracture"]])
    message = refusal(tmp_path, source(accession_number="Nr"))
    assert "the column has A 99; of them 2 have one, of the form A-999, 999999" in message
    write_files(tmp_path, ["1.dcm", "sub/2.png"])
    (tmp_path / "sub/2").unlink()
    assert refusal(tmp_path, source(accession_number="Nr")).endswith("of them none has one")


def test_file_whose_tags_cannot_be_read_is_rejected(tmp_path):
    write_dicom(tmp_path)
    (tmp_path / "damaged.dcm").write_bytes(dicom(PIXELS)[:200])
    write_workbook(tmp_path / "labels.xlsx", [["Nr", "Befund"], [UID, "fracture"]])
    found = reasons(scan(tmp_path, source(sop_instance_uid="Nr")))
    assert "DICOM" in found["damaged.dcm"]
    assert str(tmp_path) not in found["damaged.dcm"]
