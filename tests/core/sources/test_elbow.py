import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from elbow_core.config import load_config
from elbow_core.errors import UserError
from elbow_core.prepare import DataConfig
from elbow_core.sources import ElbowSource, FindingRule, ViewRule, scan
from elbow_core.sources.synthetic import FINDINGS, label_of
from tests.support.paths import ROOT

CONFIGS = ROOT / "configs"
PATIENT = r"(?P<patient>p\d+)_(?P<study>s\d+)_"
SOURCE = ElbowSource(
    rules=(
        FindingRule(pattern="treated", finding="treated", label=0),
        FindingRule(pattern="fracture", finding="fracture", label=1),
        FindingRule(pattern="normal", finding="normal", label=0),
    ),
    views=(ViewRule(pattern="_lateral$", view="lateral"), ViewRule(pattern="_ap$", view="ap")),
    patient=PATIENT,
)


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


@pytest.fixture(scope="module")
def shipped() -> ElbowSource:
    source = load_config(DataConfig, CONFIGS / "data/elbow.yaml").source
    assert isinstance(source, ElbowSource)
    return source


def test_name_gives_patient_study_finding_label_and_view(tmp_path):
    tree(tmp_path, "p01_s2_supracondylar_fracture_lateral.png")
    (row,) = scan(tmp_path, SOURCE).rows
    assert (row.patient_id, row.study_id) == ("p01", "p01/s2")
    assert (row.finding, row.label, row.view) == ("fracture", 1, "lateral")
    assert (row.image_id, row.path) == (row.path, "p01_s2_supracondylar_fracture_lateral.png")
    assert (row.body_part, row.source, row.split, row.sha256) == ("elbow", "elbow", "", "")


def test_first_matching_rule_applies(tmp_path):
    tree(tmp_path, "p1_s1_treated_fracture_ap.png")
    assert scan(tmp_path, SOURCE).rows[0].label == 0
    backwards = SOURCE.model_copy(update={"rules": SOURCE.rules[::-1]})
    assert scan(tmp_path, backwards).rows[0].label == 1


def test_files_without_a_matching_rule_are_all_listed(tmp_path):
    tree(tmp_path, "p1_s1_normal.png", "p2_s1_odd.png", "deep/p3_s1_strange.jpg")
    with pytest.raises(UserError) as caught:
        scan(tmp_path, SOURCE)
    assert str(caught.value) == (
        f"{tmp_path}: no rule (add one) matches 2 files: deep/p3_s1_strange.jpg, p2_s1_odd.png"
    )


def test_files_without_a_patient_are_all_listed(tmp_path):
    tree(tmp_path, "p1_s1_normal.png", "normal.png", "other_normal.png")
    with pytest.raises(
        UserError, match=r"pattern does not match 2 files: normal\.png, other_normal\.png"
    ):
        scan(tmp_path, SOURCE)


def test_view_without_a_matching_rule_is_unknown(tmp_path):
    tree(tmp_path, "p1_s1_normal_tangential.png")
    assert scan(tmp_path, SOURCE).rows[0].view == ""


def test_patient_can_come_from_a_folder_and_study_is_optional(tmp_path):
    tree(tmp_path, "p7/normal_ap.png", "p7/fracture_ap.png")
    source = SOURCE.model_copy(update={"patient": r"^(?P<patient>p\d+)/"})
    rows = scan(tmp_path, source).rows
    assert {(row.patient_id, row.study_id) for row in rows} == {("p7", "p7/1")}


def test_case_of_a_name_is_ignored(tmp_path):
    tree(tmp_path, "P1_S1_FRACTURE_AP.PNG", "p1_s2_normal_ap.png")
    rows = scan(tmp_path, SOURCE).rows
    assert [row.label for row in rows] == [1, 0]
    assert {row.patient_id for row in rows} == {"p1"}
    assert [row.view for row in rows] == ["ap", "ap"]


def test_rows_are_sorted_and_all_other_files_are_rejected(tmp_path):
    tree(tmp_path, "b/p2_s1_normal.png", "a/p3_s1_normal.jpeg", "p1_s1_normal.dcm")
    tree(tmp_path, "notes.txt", ".DS_Store", "a/._p3_s1_normal.jpeg")
    found = scan(tmp_path, SOURCE)
    assert [row.path for row in found.rows] == [
        "a/p3_s1_normal.jpeg",
        "b/p2_s1_normal.png",
        "p1_s1_normal.dcm",
    ]
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        (".DS_Store", "is a hidden file"),
        ("a/._p3_s1_normal.jpeg", "is a hidden file"),
        ("notes.txt", "has no image suffix (.png, .jpg, .jpeg, .dcm) and is not DICOM"),
    ]


def test_links_out_of_the_root_and_to_folders_are_rejected_with_the_reason(tmp_path):
    root = tree(tmp_path / "root", "p1_s1_normal.png", "deep/p2_s1_normal.png")
    outside = tree(tmp_path / "outside", "p3_s1_normal.png")
    (root / "p3_s1_normal.png").symlink_to(outside / "p3_s1_normal.png")
    (root / "p4_s1_normal.png").symlink_to("p1_s1_normal.png")
    (root / "folder").symlink_to(outside)
    found = scan(root, SOURCE)
    assert [row.path for row in found.rows] == [
        "deep/p2_s1_normal.png",
        "p1_s1_normal.png",
        "p4_s1_normal.png",
    ]
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        ("folder", "is a link to a folder; links to folders are not followed"),
        ("p3_s1_normal.png", "is a link to a file outside the data root"),
    ]


def test_special_files_and_broken_links_are_rejected(tmp_path):
    tree(tmp_path, "p1_s1_normal.png")
    (tmp_path / "p2_s1_normal.png").symlink_to(tmp_path / "p2_s1_normal.png")
    (tmp_path / "p3_s1_normal.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "p4_s1_normal")
    found = scan(tmp_path, SOURCE)
    assert len(found.rows) == 1
    assert [entry.reason for entry in found.rejected] == [
        "is not a regular file, or is a broken link"
    ] * 3


def test_dicom_without_a_suffix_counts_as_an_image(tmp_path):
    tree(tmp_path, "p1_s1_normal.png", "p3_s1_normal")
    (tmp_path / "p2_s1_normal").write_bytes(bytes(128) + b"DICM")
    found = scan(tmp_path, SOURCE)
    assert [row.path for row in found.rows] == ["p1_s1_normal.png", "p2_s1_normal"]
    assert [entry.path for entry in found.rejected] == ["p3_s1_normal"]


def test_name_with_control_characters_is_rejected(tmp_path):
    tree(tmp_path, "p1_s1_normal.png", "p2_s1_normal\n.png")
    (rejected,) = scan(tmp_path, SOURCE).rejected
    assert rejected.path == "p2_s1_normal\n.png"
    assert "control characters" in rejected.reason


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(UserError, match="no: is not a folder"):
        scan(tmp_path / "no", SOURCE)
    with pytest.raises(UserError, match=rf"{tmp_path}: contains no image for source\.kind elbow$"):
        scan(tmp_path, SOURCE)
    tree(tmp_path, "notes.txt")
    with pytest.raises(UserError, match=r"source\.kind elbow; 1 files were rejected"):
        scan(tmp_path, SOURCE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"patient": r"p\d+"},
        {"patient": "("},
        {"rules": ()},
        {"rules": ({"pattern": "(", "finding": "x", "label": 0},)},
        {"rules": ({"pattern": "a", "finding": "x", "label": 2},)},
    ],
)
def test_invalid_rules_are_refused(wrong):
    with pytest.raises(ValidationError):
        ElbowSource(**(SOURCE.model_dump() | wrong))


@pytest.mark.parametrize(
    ("name", "finding", "label"),
    [
        ("supracondylar_fracture", "supracondylar_fracture", 1),
        ("lateral_condyle_fracture", "condyle_fracture", 1),
        ("fracture_dislocation", "fracture_dislocation", 1),
        ("fracture", "fracture", 1),
        ("dislocation", "dislocation", 1),
        ("untreated_fracture", "fracture", 1),
        ("not_treated_fracture", "fracture", 1),
        ("treated_fracture", "treated", 0),
        ("fracture_treated", "treated", 0),
        ("supracondylar_fracture_k-wire", "treated", 0),
        ("supracondylar_fracture_cast", "treated", 0),
        ("dislocation_reduced", "treated", 0),
        ("fracture_postop", "treated", 0),
        ("healed_fracture", "healed", 0),
        ("old_fracture", "healed", 0),
        ("no_fracture", "normal", 0),
        ("contusion", "contusion", 0),
        ("normal", "normal", 0),
    ],
)
def test_shipped_rules_match_treated_before_fracture(tmp_path, shipped, name, finding, label):
    tree(tmp_path, f"p1_s1_{name}_lateral.png")
    (row,) = scan(tmp_path, shipped).rows
    assert (row.finding, row.label, row.view) == (finding, label, "lateral")


def test_shipped_rules_do_not_match_abnormal_as_normal(tmp_path, shipped):
    tree(tmp_path, "p1_s1_abnormal_ap.png")
    with pytest.raises(UserError, match="matches 1 file: p1_s1_abnormal"):
        scan(tmp_path, shipped)


@pytest.mark.parametrize("config", ["data/elbow.yaml", "demo/elbow_data.yaml"])
def test_shipped_rules_label_every_synthetic_finding_correctly(tmp_path, config):
    source = load_config(DataConfig, CONFIGS / config).source
    source = source if isinstance(source, ElbowSource) else source.tree  # pyright: ignore
    tree(tmp_path, *(f"p{n}_s1_{finding}_ap.png" for n, finding in enumerate(FINDINGS)))
    labels = {row.path.split("_", 2)[2]: row.label for row in scan(tmp_path, source).rows}
    assert labels == {f"{finding}_ap.png": label_of(finding) for finding in FINDINGS}
