"""The command that writes DICOM objects for files."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom import dcmread

from elbow_jax import predict
from reading_room.dicom import __main__ as command
from tests.support.commands import refusal_of, status_of
from tests.support.pacs_studies import PATIENT, image_uid, study_image
from tests.support.paths import names_in


@pytest.fixture
def images(tmp_path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for study in range(2):
        (folder / f"{study}.dcm").write_bytes(study_image(study))
    return folder


def content_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_image_gets_a_folder_with_three_objects_and_the_score_of_predict(
    model, images, tmp_path, capsys
):
    out = tmp_path / "out"
    arguments = ["--model", str(model), str(images), "--out", str(out), "--quiet"]
    assert status_of(command, *arguments) == 0
    printed = capsys.readouterr()
    rows = list(csv.DictReader(printed.out.splitlines()))
    assert sorted(row["folder"] for row in rows) == names_in(out)
    assert status_of(predict, "--model", str(model), str(images), "--batch-size", "1") == 0
    scores = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [(row["score"], row["answer"]) for row in rows] == [
        (row["score"], row["label"]) for row in scores
    ]
    card = json.loads((model / "model.json").read_text())
    for study, row in enumerate(rows):
        assert names_in(out / row["folder"]) == ["heat_map.dcm", "presentation.dcm", "report.dcm"]
        for file in (out / row["folder"]).iterdir():
            made = dcmread(file)
            assert made.PatientID == f"MRN{study}"
            assert made.DeviceSerialNumber == card["weights_sha256"]
    assert PATIENT not in printed.out + printed.err

    written = content_of(out)
    assert status_of(command, *arguments) == 0
    assert content_of(out) == written  # also its times


def test_interrupted_command_is_completed_by_the_same_command(model, images, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--model", str(model), "--out", str(out)]
    assert status_of(command, *arguments, str(images / "0.dcm")) == 0
    (first,) = names_in(out)
    written = content_of(out)
    assert status_of(command, *arguments, str(images)) == 0
    assert len(names_in(out)) == 2
    assert {name: value for name, value in content_of(out).items() if name.startswith(first)} == (
        written
    )


def test_files_without_a_result_are_named_and_all_others_are_written(
    model, images, tmp_path, capsys
):
    cv2.imwrite(str(images / "a.png"), np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))
    shutil.copy(images / "0.dcm", images / "z_copy.dcm")
    out = tmp_path / "out"
    assert status_of(command, "--model", str(model), str(images), "--out", str(out)) == 2
    printed = capsys.readouterr()
    errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert "a.png: is not a DICOM file, so its results would belong to no study" in errors[0]
    assert f"z_copy.dcm: has the SOPInstanceUID of {images / '0.dcm'}" in errors[1]
    assert len(names_in(out)) == 2
    assert image_uid(0) not in printed.out + printed.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{model}/nowhere", "{images}"], "no released model here"),
        (["--model", "{model}", "{images}/nowhere.dcm"], "no such file or folder"),
        (["--model", "{model}", "{images}", "--threshold", "best"], "'best' is not one of"),
    ],
)
def test_wrong_use_is_one_line(model, images, tmp_path, capsys, arguments, message):
    places = {"model": model, "images": images}
    given = [argument.format(**places) for argument in arguments]
    line = refusal_of(capsys, command, *given, "--out", str(tmp_path / "out"))
    assert message in line


def test_missing_packages_are_named(model, images, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    given = ["--model", str(model), str(images), "--out", str(tmp_path / "out")]
    assert "pip install 'elbow-radiographs[reading_room]'" in refusal_of(capsys, command, *given)
