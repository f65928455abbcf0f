"""`python -m elbow_core.prepare` with PNG and DICOM files and a spreadsheet of their labels."""

import datetime
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elbow_core.dataset import read_manifest
from elbow_core.prepare import __main__ as prepare_module
from elbow_core.prepare.__main__ import main
from tests.support.commands import error_of, refusal_of
from tests.support.dicom_files import dicom
from tests.support.prepare_folders import KEY
from tests.support.spreadsheets import write_workbook
from tests.support.tiny_images import make_image, write

CONFIG = """
root: {root}
out: {out}
source:
  kind: table
  table: labels.xlsx
  header_row: 3
  columns: {{file: Datei, label: Befund, patient: Patient, view: Projektion}}
  labels: {{fracture: 1, no fracture: 0, unclear: null, '': null}}
  views: {{a.p.: ap, lat: lateral}}
  attributes: {{sex: Geschlecht, age: Alter, study_date: Aufnahme}}
  attribute_types: {{age: number, study_date: date}}
preprocess: {{size: 32, sigma: 2.0}}
split: {{method: fractions, train: 0.5, validation: 0.25, test: 0.25}}
workers: 0
"""


def write_images(root: Path) -> None:
    """Write 30 PNG files whose names are numbers with zeros, and 10 DICOM files."""
    for number in range(30):
        write(root / f"s{number % 3}" / f"{number:05d}.png", make_image(number))
    (root / "dicom").mkdir()
    for number in range(30, 40):
        pixels = make_image(number).astype(np.uint16) * 10
        tags: dict[str, Any] = {
            "PatientID": f"{number // 2:04d}",
            "StudyInstanceUID": f"1.2.{number // 2}",
        }
        (root / "dicom" / f"im{number}.dcm").write_bytes(
            dicom(pixels, SOPInstanceUID=f"1.2.3.{number}", PatientSex="M", **tags)
        )


def messy_rows() -> list[list[Any]]:
    """Return what a spreadsheet makes of 40 rows of labels, and of one without an image."""
    rows: list[list[Any]] = [["Radiology, 5 March 2024"], []]
    rows.append(["Datei ", "Befund", "Patient", "Projektion", "Geschlecht", "Alter", "Aufnahme"])
    for number in range(40):
        name: Any = number if number < 30 else f"dicom\\im{number}.dcm"
        label = ("no  fracture", "Fracture\xa0")[number % 2]
        view = ("AP", "a.p.", "Lat ", None)[number % 4]
        day = datetime.date(2024, 3, 1 + number % 28)
        rows.append([name, label, f"P{number // 2}", view, "FM"[number % 2], 34.5, day])
    rows[3 + 7][1], rows[3 + 8][1] = "unclear", None
    return [*rows, ["gone.png", "fracture", "P99"], [None, " "]]


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("original")
    write_images(root)
    write_workbook(root / "labels.xlsx", messy_rows())
    (root / "notes.txt").write_text("x")
    write(root / "s0/extra.png", make_image(99))
    return root


@pytest.fixture
def folder(tmp_path, original) -> Path:
    shutil.copytree(original, tmp_path / "root")
    config = CONFIG.format(root=tmp_path / "root", out=tmp_path / "out")
    (tmp_path / "data.yaml").write_text(config)
    return tmp_path


def run(folder: Path, *arguments: str) -> None:
    assert main(["--config", str(folder / "data.yaml"), *arguments]) == 0


def test_messy_table_is_prepared_and_all_that_was_left_out_is_counted(folder, capsys):
    run(folder)
    lines = capsys.readouterr().out.splitlines()
    at = lines.index(f"5 files were not used; {folder / 'out/rejected.csv'} says why")
    assert lines[at - 1].split() == ["Total", "19", "19"]
    assert sorted(lines[at + 1 :])[:5] == [
        "  gone.png: is listed in labels.xlsx but no image has this name",
        "  notes.txt: has no image suffix (.png, .jpg, .jpeg, .dcm) and is not DICOM",
        "  s0/extra.png: is not listed in labels.xlsx",
        "  s1/00007.png: has the label 'unclear' in labels.xlsx, and source.labels leaves it out",
        "  s2/00008.png: has no label in labels.xlsx, and source.labels leaves it out",
    ]
    rows = {row.image_id: row for row in read_manifest(folder / "out/manifest.csv")}
    first = rows["s1/00001.png"]
    assert (first.label, first.finding, first.patient_id, first.view) == (1, "fracture", "P0", "ap")
    assert first.attributes == (("age", "34.5"), ("sex", "M"), ("study_date", "2024-03-02"))
    last = rows["dicom/im38.dcm"]
    assert (last.label, last.patient_id, last.view) == (0, "P19", "lateral")
    # The table's sex counts, not that of the tag.
    assert dict(last.attributes)["sex"] == "F"


def test_content_of_the_table_counts_and_not_its_place(folder, capsys):
    run(folder)
    shutil.move(folder / "root/labels.xlsx", folder / "moved.xlsx")
    run(folder, "--source.table", str(folder / "moved.xlsx"))
    assert "already prepared with these settings" in capsys.readouterr().out
    rows = messy_rows()
    rows[3][4] = "M"
    write_workbook(folder / "moved.xlsx", rows)
    message = error_of(
        *(capsys, prepare_module, "--config", str(folder / "data.yaml")),
        *("--source.table", str(folder / "moved.xlsx")),
    )
    assert "was prepared with other settings or from other files" in message


def test_tags_say_whose_an_image_is_where_there_is_a_key(folder, capsys):
    (folder / "id.key").write_bytes(KEY)
    columns = "{file: Datei, label: Befund}"
    run(folder, "--id_key", str(folder / "id.key"), "--source.columns", columns)
    printed = capsys.readouterr().out
    assert "10 DICOM files of 5 patients, by their tags" in printed
    assert "patients unknown: each of 28 images counts as its own patient" in printed
    rows = read_manifest(folder / "out/manifest.csv")
    assert len({row.patient_id for row in rows}) == 28 + 5
    for name in ("gone", "extra", "00007", "im38"):
        assert name not in (folder / "out/rejected.csv").read_text() + printed


def test_contradiction_ends_a_strict_run(folder, capsys):
    rows = messy_rows()
    rows[3 + 1][0] = 2
    write_workbook(folder / "root/labels.xlsx", rows)
    run(folder)
    capsys.readouterr()
    arguments = ("--config", str(folder / "data.yaml"), "--strict", "--out", str(folder / "strict"))
    message = refusal_of(capsys, prepare_module, *arguments)
    assert message == (
        f"error: {folder / 'root/s2/00002.png'}: has two labels: 'fracture' in row 5 of "
        "labels.xlsx and 'no fracture' in row 6"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source.header_row=1",), "row 3 has all columns, so set header_row: 3"),
        (("--source.columns.file=Name",), "has no column 'Name'; its columns are 'Datei', "),
        (("--source.columns={fil: Datei, label: Befund}",), "source.columns.fil: unknown key; did"),
        (("--source.columns={label: Befund}",), "source.columns (from the command line): exactly"),
        (
            ("--source.sheets=x",),
            "source.sheets (from the command line): unknown key; did you mean",
        ),
        (("--source.table=gone.xlsx",), "gone.xlsx does not exist, and neither does gone.xlsx"),
        (("--source.labels={fracture: 1}",), "row 4: column 'Befund' (B): 'no  fracture' is not"),
        (("--source.attribute_types={age: date}",), "(F): '34.5' is no date of the form"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(folder, arguments, message, capsys):
    config = str(folder / "data.yaml")
    assert message in refusal_of(capsys, prepare_module, "--config", config, *arguments)
    assert not (folder / "out").exists()
