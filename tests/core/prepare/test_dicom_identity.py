"""Patients, studies, views and attributes from DICOM tags, and what contradicts them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from elbow_core.config import dump_config, load_config
from elbow_core.dataset import ManifestRow, hash_id, open_archive, read_manifest
from elbow_core.errors import ConfigError, RadiographError
from elbow_core.prepare import DataConfig, prepare, scan_inputs
from elbow_core.prepare.dicom_files import FileFacts, apply_facts
from elbow_core.prepare.dicom_files.disagreements import conflicting
from elbow_core.prepare.dicom_files.joining import patients_of
from tests.support.dicom_folders import CLASSES, dicom_config, pixels, write_dicom
from tests.support.tiny_images import encode, row

KEY = bytes(range(32))


def facts(patient: str = "", issuer: str = "", study: str = "", **others: Any) -> FileFacts:
    return FileFacts(patient=patient, issuer=issuer, study=study, **others)


def rows(*patients: str) -> list[ManifestRow]:
    """Return a row for each patient, with the paths 0.png, 1.png and so on."""
    return [
        row(str(number), patient_id=patient, study_id=f"{patient}/1")
        for number, patient in enumerate(patients)
    ]


def write_patients(root: Path, patients: int, images: int = 2) -> None:
    """Write images of patients MRN00, ..., each file under a name that does not tell them."""
    for number in range(patients * images):
        patient = number // images
        write_dicom(
            root / CLASSES[patient % 2] / f"1.2.3.{number}.dcm",
            number,
            PatientID=f"MRN{patient:02d}",
            StudyInstanceUID=f"1.2.{patient}.1",
            ViewPosition=("AP", "LL")[number % 2],
            PatientAge=f"{90 + patient:03d}Y" if patient < 3 else "034Y",
            PatientSex="FM"[patient % 2],
            StudyDate="20210203",
        )


def disagreements(config: DataConfig) -> list[dict[str, str]]:
    with (config.out / "disagreements.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_patient_and_study_are_those_of_the_tags(tmp_path, capsys):
    config = dicom_config(tmp_path)
    write_patients(config.root, 12)
    assert prepare(config)
    found = read_manifest(config.out / "manifest.csv")
    by_patient: dict[str, list[ManifestRow]] = {}
    for one in found:
        by_patient.setdefault(one.patient_id, []).append(one)
    assert set(by_patient) == {hash_id(KEY, "patient", f"MRN{n:02d}") for n in range(12)}
    for images in by_patient.values():
        assert len({one.split for one in images}) == len({one.study_id for one in images}) == 1
        assert sorted(one.view for one in images) == ["ap", "lateral"]
        assert {one.body_part for one in images} == {"elbow"}
    ages = [dict(one.attributes)["age"] for one in found]
    assert sorted(set(ages)) == ["34", "90"]
    assert {dict(one.attributes)["year"] for one in found} == {"2021"}
    assert open_archive(config.out).ungrouped == 0
    assert disagreements(config) == []
    assert "24 DICOM files of 12 patients, by their tags" in capsys.readouterr().out
    assert not prepare(config)


def test_identity_without_a_key_is_refused_with_the_way_to_make_one(tmp_path):
    config = dicom_config(tmp_path, id_key=None)
    path = tmp_path / "data.yaml"
    path.write_text(dump_config(config))
    with pytest.raises(
        ConfigError, match=r"head -c 32 /dev/urandom > id\.key.*set id_key: id\.key"
    ):
        load_config(DataConfig, path, ["--dicom.identity=true"])


def test_without_a_key_no_patient_is_read_and_that_is_said(tmp_path, capsys):
    config = dicom_config(tmp_path, id_key=None)
    write_patients(config.root, 12)
    prepare(config)
    output = capsys.readouterr().out
    assert "patients unknown: each image counts as its own patient" in output
    assert "set id_key, so that DICOM tags say whose they are; or " in output
    assert open_archive(config.out).ungrouped == 24
    written = b"".join(file.read_bytes() for file in config.out.iterdir())
    assert b"MRN" not in written
    assert b"attribute:age" in written


def test_folder_of_other_images_says_that_patients_are_unknown(tmp_path, capsys):
    config = dicom_config(tmp_path, id_key=None)
    for number in range(24):
        file = config.root / CLASSES[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(pixels(number) * 9))
    prepare(config)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "unknown" in line]
    assert line == (
        "patients unknown: each image counts as its own patient, so one patient's images may be in "
        "two splits and intervals are too narrow; if a patient has several images, set "
        "source.patient to a pattern that finds the patient in each path"
    )
    assert not (config.out / "disagreements.csv").exists()


def test_files_without_patient_id_are_named_and_refused_if_strict(tmp_path, capsys):
    config = dicom_config(tmp_path)
    write_patients(config.root, 12)
    for number in (100, 101):
        write_dicom(config.root / f"normal/none{number}.dcm", number, PatientID="  ")
    prepare(config)
    output = capsys.readouterr().out
    assert "2 DICOM files have no PatientID (0010,0020): " in output
    assert "each of 2 images counts as its own patient" in output
    assert "none10" not in output
    assert open_archive(config.out).ungrouped == 2
    with pytest.raises(RadiographError, match="has no PatientID.* one of 2 such DICOM files"):
        prepare(config.model_copy(update={"strict": True}))


def test_tags_win_over_the_pattern_and_each_contradiction_is_listed(tmp_path, capsys):
    source = {
        "kind": "folder",
        "classes": {"normal": 0, "injury": 1},
        "patient": r"(?P<patient>p\d+)_",
    }
    config = dicom_config(tmp_path, source=source)
    for number in range(24):
        patient = number // 2
        tag = 5 if number == 4 else patient  # one file of p2 says that it shows the fifth
        write_dicom(
            config.root / CLASSES[patient % 2] / f"p{patient}_{number}.dcm",
            number,
            PatientID=f"MRN{tag}",
            BodyPartExamined="HIP" if number == 9 else "ELBOW",
        )
    prepare(config)
    found = disagreements(config)
    # By groups alone, all four images that p2 and MRN5 have in common are doubtful.
    assert [line["field"] for line in found] == ["patient"] * 4
    assert {line["tag"] for line in found} == {
        hash_id(KEY, "patient", name) for name in ("MRN2", "MRN5")
    }
    patients = {one.image_id: one.patient_id for one in read_manifest(config.out / "manifest.csv")}
    for line in found:
        assert patients[line["image_id"]] == line["tag"]
    assert "4 times DICOM tags contradict the source (patient 4)" in capsys.readouterr().out


def test_source_wins_for_view_body_part_and_attributes():
    stated = [row("0", view="ap", body_part="elbow", attributes=(("age", "30"), ("site", "A")))]
    tags = facts(view="lateral", body_part="hip", attributes=(("age", "31"), ("sex", "F")))
    joined = apply_facts(stated, [tags], source_knows_patients=True, identity=False)
    (one,) = joined.rows
    assert (one.view, one.body_part) == ("ap", "elbow")
    assert one.attributes == (("age", "30"), ("sex", "F"), ("site", "A"))
    listed = [(entry.field, entry.source, entry.tag) for entry in joined.disagreements]
    assert listed == [
        ("view", "ap", "lateral"),
        ("body part", "elbow", "hip"),
        ("age", "30", "31"),
    ]


@pytest.mark.parametrize(
    ("tags", "groups"),
    [
        ([facts("P1", "A"), facts("p1 ", "a"), facts("P1", "B")], [0, 0, 1]),
        # One file does not say whose P1 it is: it may be of either, so all are one patient.
        ([facts("P1", "A"), facts("P1", "B"), facts("P1")], [0, 0, 0]),
        ([facts("P1", study="1.2"), facts("P2", study="1.2"), facts("P3")], [0, 0, 1]),
        # A chain: P1 and P2 share a study, P2 and P3 another.
        (
            [
                *(facts("P3", study="1.3"), facts("P2", study="1.3")),
                *(facts("P2", study="1.2"), facts("P1", study="1.2")),
            ],
            [0, 0, 0, 0],
        ),
        ([facts("ﾐ1"), facts("ミ1")], [0, 0]),
        ([facts("01"), facts("1")], [0, 1]),
    ],
)
def test_patients_by_tags(tags: Sequence[FileFacts], groups: Sequence[int]):
    named = patients_of(tags)
    assert [sorted(set(named), key=named.index).index(name) for name in named] == groups
    assert set(patients_of(tags[::-1])) == set(named)


def test_file_without_patient_id_joins_the_others_of_its_patient_in_the_source():
    tags = [facts("MRN1"), facts(), facts("MRN2"), facts("MRN3"), facts(), facts()]
    stated = rows("a", "a", "b", "b", "b", "c")
    joined = apply_facts(stated, tags, source_knows_patients=True, identity=True)
    found = [one.patient_id for one in joined.rows]
    assert found == ["mrn1", "mrn1", "mrn2", "mrn3", "b", "c"]
    assert joined.without_id == ["1.png", "4.png", "5.png"]
    assert joined.ungrouped == []


def test_images_that_are_not_dicom_keep_the_patient_of_the_source():
    joined = apply_facts(rows("a", "a"), [None, None], source_knows_patients=True, identity=True)
    assert [one.patient_id for one in joined.rows] == ["a", "a"]
    assert (joined.without_id, joined.ungrouped, joined.patients) == ([], [], 0)


def test_groupings_are_compared_without_their_names():
    assert conflicting(["a", "a", "b"], ["X", "X", "Y"]) == []
    assert conflicting(["a", "a", "b"], ["X", "Y", "Z"]) == [0, 1]
    assert conflicting(["a", "a", "b"], ["X", "Y", "Z"], finer=True) == []
    assert conflicting(["a", "b"], ["X", "X"], finer=True) == [0, 1]
    assert conflicting(["a", "a"], ["a", "b"]) == [1]
    assert conflicting(["a", "a", ""], ["X", "", "Y"]) == []


def test_scan_inputs_writes_nothing_and_gives_the_images(tmp_path, capsys):
    config = dicom_config(tmp_path)
    write_patients(config.root, 4)
    before = sorted(tmp_path.rglob("*"))
    found = scan_inputs(config)
    assert len(found.rows) == 8
    assert {one.patient_id for one in found.rows} == {f"mrn{number:02d}" for number in range(4)}
    assert sorted(tmp_path.rglob("*")) == before
