"""Which DICOM files are left out by their tags, and that each is counted with its reason."""

from dataclasses import fields
from typing import Any

import pytest

from elbow_core.config import dump_config
from elbow_core.dataset import read_manifest
from elbow_core.errors import RadiographError, UserError
from elbow_core.prepare import prepare
from elbow_core.prepare.__main__ import main
from elbow_core.prepare.dicom_files import DicomSelection
from elbow_core.prepare.dicom_files.selection import reason_against
from elbow_core.radiographs import DicomTags
from tests.support.dicom_folders import CLASSES, dicom_config, pixels, write_dicom
from tests.support.prepare_folders import rejected
from tests.support.tiny_images import encode

PLAIN: dict[str, Any] = {field.name: "" for field in fields(DicomTags)}
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def tags(**changes: Any) -> DicomTags:
    values: dict[str, Any] = PLAIN | {"image_type": ("DERIVED", "PRIMARY")} | changes
    return DicomTags(**values)


@pytest.mark.parametrize(
    ("found", "settings", "reason"),
    [
        ({}, {}, ""),
        ({"modality": "DX"}, {}, ""),
        ({"modality": "MR"}, {}, "has the modality MR (dicom.select.modalities)"),
        ({"modality": "MR"}, {"modalities": ("mr",)}, ""),
        ({}, {"modalities": ("CR",)}, "has no known modality (dicom.select.modalities)"),
        ({"modality": "ÄÖ"}, {}, "has another modality (dicom.select.modalities)"),
        ({"class_uid": CAPTURE}, {}, "is a secondary capture (dicom.select.secondary_captures)"),
        ({"class_uid": f"{CAPTURE}.4"}, {}, "is a secondary capture"),
        ({"class_uid": f"{CAPTURE}7"}, {}, ""),
        ({"class_uid": CAPTURE}, {"secondary_captures": True}, ""),
        ({"presentation": "FOR PROCESSING"}, {}, "is raw data, FOR PROCESSING"),
        ({"presentation": "FOR PROCESSING"}, {"for_processing": True}, ""),
        ({"presentation": "FOR PRESENTATION"}, {}, ""),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, {}, "has the image type LOCALIZER"),
        ({"image_type": ("ORIGINAL", "LOCALIZER")}, {"image_types_left_out": ()}, ""),
        ({"frames": "2"}, {}, "has several frames; one image is needed"),
        ({"frames": "1"}, {}, ""),
        ({"burned_in": "YES"}, {}, ""),
        ({"burned_in": "YES"}, {"burned_in": False}, "has a burnt-in annotation"),
        ({"body_part": "HIP"}, {"body_parts": ("Elbow",)}, "has the body part HIP"),
        ({"body_part": ""}, {"body_parts": ("ELBOW", "unknown")}, ""),
        ({"view": "oblique"}, {"views": ("ap", "lateral")}, "has the view oblique"),
        (
            {"transfer_syntax": "1.2.840.10008.1.2.4.50"},
            {"transfer_syntaxes": ("1.2.840.10008.1.2.1",)},
            "has the transfer syntax 1.2.840.10008.1.2.4.50 (dicom.select.transfer_syntaxes)",
        ),
    ],
)
def test_rule(found: dict[str, Any], settings: dict[str, Any], reason: str):
    given = reason_against(tags(**found), DicomSelection(**settings))
    assert given.startswith(reason)
    assert bool(given) == bool(reason)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"modalities": ()}, "modalities"),
        ({"modalities": ("CR", " ")}, "is empty; write unknown"),
        ({"transfer_syntaxes": ("lossless",)}, "is not the UID of a transfer syntax"),
        ({"transfer_syntaxes": (CAPTURE,)}, "is not the UID of a transfer syntax"),
        ({"views": ("skyline",)}, "views"),
        ({"modality": ("CR",)}, "modality"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], problem: str):
    with pytest.raises(ValueError, match=problem):
        DicomSelection(**settings)


def test_every_rule_is_counted_on_the_console_and_in_the_table(tmp_path, capsys):
    config = dicom_config(tmp_path, id_key=None)
    for number in range(24):
        write_dicom(config.root / CLASSES[number % 2] / f"{number}.dcm", number, PatientID="x")
    left_out: dict[str, dict[str, Any]] = {
        "is raw data, FOR PROCESSING": {"PresentationIntentType": "FOR PROCESSING"},
        "is a secondary capture": {"SOPClassUID": CAPTURE},
        "has the image type SCOUT": {"ImageType": ["ORIGINAL", "PRIMARY", "SCOUT"]},
        "has several frames": {"NumberOfFrames": 2},
        "has the modality CT": {"Modality": "CT"},
        "has the body part HIP": {"BodyPartExamined": "HIP"},
        "has the view oblique": {"ViewPosition": "OBL"},
    }
    for number, (reason, changed) in enumerate(left_out.items()):
        for copy in range(number + 2):
            file = config.root / f"normal/{reason.replace(' ', '_')}{copy}.dcm"
            write_dicom(file, 100 + 10 * number + copy, **changed)
    for number in (200, 201):
        write_dicom(config.root / f"injury/{number}.dcm", number, BurnedInAnnotation="YES")
    path = tmp_path / "data.yaml"
    path.write_text(dump_config(config))
    select = {"body_parts": "[ELBOW]", "views": "[ap,lateral,unknown]"}
    options = [f"--dicom.select.{name}={value}" for name, value in select.items()]
    assert main(["--config", str(path), *options]) == 0
    output = capsys.readouterr().out
    listed = rejected(config)
    for number, reason in enumerate(left_out):
        assert sum(found.startswith(reason) for found in listed.values()) == number + 2
        (line,) = [line for line in output.splitlines() if f": {reason}" in line]
        assert line.startswith(f"  {number + 2} files, such as normal/")
    assert "2 images have burnt-in annotations by their tag (0028,0301)" in output
    assert len(read_manifest(config.out / "manifest.csv")) == 26


def test_files_that_are_not_dicom_know_no_rules(tmp_path):
    config = dicom_config(tmp_path, id_key=None, dicom={"select": {"modalities": ("CR",)}})
    for number in range(24):
        file = config.root / CLASSES[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(pixels(number) * 9))
    prepare(config, lambda _: None)
    assert len(read_manifest(config.out / "manifest.csv")) == 24


def test_folder_without_any_wanted_file_is_refused_with_a_reason(tmp_path):
    config = dicom_config(tmp_path, id_key=None)
    for number in range(4):
        write_dicom(config.root / CLASSES[number % 2] / f"{number}.dcm", number, Modality="US")
    message = r"all 4 images were left out .* first has the modality US .*change dicom\.select"
    with pytest.raises(UserError, match=message):
        prepare(config, lambda _: None)


def test_damaged_header_is_listed_or_ends_a_strict_run(tmp_path):
    config = dicom_config(tmp_path, id_key=None)
    for number in range(24):
        write_dicom(config.root / CLASSES[number % 2] / f"{number}.dcm", number)
    file = write_dicom(config.root / "normal/cut.dcm", 99, PatientID="SECRET", AccessionNumber="1")
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b"SECRET")])
    prepare(config, lambda _: None)
    assert rejected(config) == {
        "normal/cut.dcm": "is cut short: its PatientID (0010,0020) is not complete"
    }
    with pytest.raises(RadiographError, match=r"normal/cut\.dcm: is cut short"):
        prepare(config.model_copy(update={"strict": True}), lambda _: None)
