"""One patient in several spellings: in one split, seen by every check, under one hash."""

import unicodedata
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
import pytest

from elbow_core.dataset import (
    ManifestRow,
    between_patients,
    check_disjoint,
    check_leakage,
    hash_ids,
    read_manifest,
    split_patients,
    validate_manifest,
    write_archive,
    write_manifest,
)
from elbow_core.errors import ArchiveError, ManifestError, UserError
from elbow_core.prepare import DataConfig, FractionSplit, prepare
from elbow_core.radiographs import Preprocessing
from elbow_core.sources import (
    ElbowSource,
    FindingRule,
    FolderSource,
    FracAtlasSource,
    MuraSource,
    scan,
)
from tests.support.tiny_images import row, write

COMPOSED = "müller"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
SPELLINGS = ("Müller", DECOMPOSED, "MU\u0308LLER", "müller\u200b", "ｍüller")
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
KEY = bytes(range(32))


def digest(number: int) -> str:
    return f"{number:064x}"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_split_keeps_every_spelling_of_a_patient_together(spelling):
    rows = [
        row(f"{number}_{view}", patient_id=f"{patient}{number}", label=number % 2)
        for number in range(30)
        for view, patient in (("ap", COMPOSED), ("lateral", spelling))
    ]
    assigned = split_patients(rows, SHARES, 0)
    assert [replace(found, split="") for found in assigned] == rows
    splits = {(found.image_id.split("_")[0], found.split) for found in assigned}
    assert len(splits) == 30
    check_leakage(assigned)


def test_split_of_ids_that_were_normal_does_not_depend_on_their_form():
    def spelt(form: Literal["NFC", "NFD"]) -> list[str]:
        rows = [
            row(f"i{n}_{k}", patient_id=unicodedata.normalize(form, f"É{n}"), label=n % 2)
            for n in range(40)
            for k in range(1 + n % 3)
        ]
        return [found.split for found in split_patients(rows, SHARES, 0)]

    assert spelt("NFC") == spelt("NFD")


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_leak_is_found_in_every_spelling_and_names_both(spelling):
    rows = [
        row("a", patient_id=COMPOSED, split="train"),
        row("b", patient_id=spelling, split="test"),
    ]
    with pytest.raises(ManifestError, match="1 patients in two splits") as caught:
        check_leakage(rows)
    assert f"{COMPOSED!a} = {spelling!a} (a in train, b in test)" in str(caught.value)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("source", ["elbow", "Elbow", "elbow\u200b"])
def test_pretraining_patient_is_found_in_every_spelling_of_patient_and_source(spelling, source):
    pretraining = [row("m", patient_id=spelling, source=source, sha256=digest(1))]
    target = [row("t", patient_id=COMPOSED, sha256=digest(2))]
    with pytest.raises(ManifestError, match="1 pretraining patients in the target set"):
        check_disjoint(pretraining, target)
    check_disjoint([replace(pretraining[0], source="mura")], target)


def test_near_duplicates_of_one_patient_in_two_spellings_are_not_listed():
    rows = [row("a", patient_id="P1"), row("b", patient_id="p1"), row("c", patient_id="p2")]
    pairs = np.array([[0, 1, 0], [0, 2, 0]])
    assert between_patients(rows, pairs).tolist() == [[0, 2, 0]]


def test_spellings_have_one_hash_and_images_that_differ_by_case_have_two():
    rows = [row("a", patient_id=COMPOSED, study_id=f"{COMPOSED}/1")]
    rows += [row("A", patient_id=text, study_id=f"{text}/1") for text in SPELLINGS]
    hashed = hash_ids(rows, KEY)
    assert len({found.patient_id for found in hashed}) == 1
    assert len({found.study_id for found in hashed}) == 1
    assert len({found.image_id for found in hashed}) == 2
    decomposed = hash_ids([row(DECOMPOSED)], KEY)[0]
    assert decomposed.image_id == hash_ids([row(COMPOSED)], KEY)[0].image_id


def test_image_id_in_two_forms_is_repeated(tmp_path):
    rows = [row(COMPOSED), row(DECOMPOSED, path="other.png")]
    with pytest.raises(ManifestError, match="is repeated"):
        write_manifest(tmp_path / "m.csv", rows)
    for found in rows:
        (tmp_path / found.path).write_bytes(b"x")
    with pytest.raises(ManifestError, match=r"repeated, as 'm\\xfcller' and 'mu\\u0308ller'"):
        validate_manifest(rows, tmp_path)
    with pytest.raises(ArchiveError, match="the id is repeated"):
        write_archive(
            tmp_path / "out",
            [found.image_id for found in rows],
            np.zeros((2, 32, 32), np.uint8),
            {"size": 32},
        )


def test_manifest_edited_by_hand_may_not_hide_a_patient_behind_invisible_characters(tmp_path):
    path = tmp_path / "m.csv"
    write_manifest(path, [row("a", patient_id="P1"), row("b", patient_id="P2")])
    text = path.read_text()
    for hidden in ("P2\u200b", "\ufeffP2", "P2\xa0", "P2 ", "\u200eP2"):
        path.write_text(text.replace("P2", hidden, 1))
        with pytest.raises(ManifestError, match=r"m\.csv:3: patient_id: .* starts or ends with"):
            read_manifest(path)
    path.write_text(text.replace("b,b.png", "a\u200b,b.png"))
    with pytest.raises(ManifestError, match=r"image_id: .* starts or ends with an invisible"):
        read_manifest(path)


def tree(root, *names: str):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


RULES = (
    FindingRule(pattern="brüche", finding="fracture", label=1),
    FindingRule(pattern="normal", finding="normal", label=0),
)


FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pattern", [r"(?P<patient>\w+)_(?P<study>\w+)_", r"(?P<patient>[^_]+)_"])
def test_patient_and_rules_match_names_in_either_form(tmp_path, form, pattern):
    tree(tmp_path, unicodedata.normalize(form, "Müller_Größe_brüche.png"), "P9_x_normal.png")
    for written in FORMS:
        source = ElbowSource(
            rules=tuple(
                rule.model_copy(update={"pattern": unicodedata.normalize(written, rule.pattern)})
                for rule in RULES
            ),
            patient=unicodedata.normalize(written, pattern),
        )
        normal, broken = sorted(scan(tmp_path, source).rows, key=lambda found: found.label)
        assert (broken.patient_id, broken.label) == ("müller", 1)
        assert broken.study_id == ("müller/grösse" if "study" in pattern else "müller/1")
        assert normal.patient_id == "p9"


def test_folder_of_a_class_is_found_in_either_form(tmp_path):
    tree(tmp_path, unicodedata.normalize("NFD", "brüche/p1.png"), "normal/p2.png")
    rows = scan(tmp_path, FolderSource(classes={"brüche": 1, "normal": 0})).rows
    assert [(found.finding, found.label) for found in rows] == [("brüche", 1), ("normal", 0)]
    tree(tmp_path, "brüche/p3.png")
    with pytest.raises(UserError, match="are one name; rename one"):
        scan(tmp_path, FolderSource(classes={"brüche": 1, "normal": 0}))
    with pytest.raises(ValueError, match="are one name"):
        FolderSource(classes={"brüche": 1, unicodedata.normalize("NFD", "brüche"): 0})


def test_table_of_fracatlas_is_matched_in_either_form(tmp_path):
    name = unicodedata.normalize("NFD", "Röntgen1.jpg")
    tree(tmp_path, f"images/{name}")
    header = "image_id,hand,fractured,hardware,frontal,lateral,oblique"
    (tmp_path / "labels.csv").write_text(f"{header}\nRöntgen1.jpg,1,1,0,1,0,0\n")
    found = scan(tmp_path, FracAtlasSource())
    assert [(of.image_id, of.patient_id, of.label) for of in found.rows] == [(name, name[:-4], 1)]
    assert found.rejected == []


def test_table_of_mura_is_matched_in_either_form(tmp_path):
    path = "train/XR_ELBOW/patient00001/study1_positive/Röntgen.png"
    tree(tmp_path, unicodedata.normalize("NFD", path))
    (tmp_path / "train_image_paths.csv").write_text(f"MURA-v1.1/{path}\n")
    found = scan(tmp_path, MuraSource())
    assert (len(found.rows), found.rejected) == (1, [])


def test_prepared_set_of_mixed_forms_has_whole_patients(tmp_path):
    rng = np.random.default_rng(0)
    root = tmp_path / "root"
    for number in range(24):
        for spelling, view in ((COMPOSED, "ap"), (DECOMPOSED, "lat")):
            name = f"{spelling}{number:02d}_{view}.png"
            image = cv2.resize(rng.integers(0, 256, (8, 8)).astype(np.uint8), (40, 40))
            write(root / ("normal", "injury")[number % 2] / name, image)
    config = DataConfig(
        source=FolderSource(classes={"normal": 0, "injury": 1}, patient=r"/(?P<patient>[^/_]+)_"),
        root=root,
        out=tmp_path / "out",
        preprocess=Preprocessing(size=32, sigma=2.0),
        split=FractionSplit(train=0.5, validation=0.25, test=0.25),
        workers=0,
    )
    prepare(config)
    rows: list[ManifestRow] = read_manifest(config.out / "manifest.csv")
    assert len(rows) == 48
    assert len({found.patient_id for found in rows}) == 24
    assert len({(found.patient_id, found.split) for found in rows}) == 24
