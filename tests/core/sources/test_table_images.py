"""The image of each row of a table of labels: by path, by name, by DICOM tag."""

from pathlib import Path

import pytest

from elbow_core.errors import UserError
from elbow_core.sources import scan
from tests.support.dicom_files import dicom
from tests.support.label_tables import (
    PIXELS,
    reasons,
    refusal,
    simple,
    source,
    write_files,
)
from tests.support.spreadsheets import write_workbook


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
