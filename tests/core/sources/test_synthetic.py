import csv
import json
import re
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from elbow_core.errors import UserError
from elbow_core.files import locked_folder
from elbow_core.sources import scan
from elbow_core.sources.synthetic import (
    FINDINGS,
    VIEWS,
    SyntheticSource,
    label_of,
    write_elbow_tree,
    write_folder_tree,
    write_mura_tree,
)
from elbow_core.sources.synthetic.geometry import GEOMETRY, GeometryJournal, read_geometry
from elbow_core.sources.synthetic.trees import RECORD
from tests.support.killed_writers import leave_half_file

NAME = re.compile(r"p(\d{4,})_s([12])_(.+)_(ap|lateral)\.(png|jpg)")
SIZE = 64


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def names(root: Path) -> list[tuple[str, str, str, str, str]]:
    found = [NAME.fullmatch(path.name) for path in root.iterdir() if path.suffix != ".json"]
    assert all(found)
    return [(m[1], m[2], m[3], m[4], m[5]) for m in found if m]


@pytest.fixture(scope="module")
def elbows(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("trees") / "elbows"
    write_elbow_tree(root, patients=150, seed=3, size=SIZE)
    return root


@pytest.fixture(scope="module")
def mura(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("trees") / "mura"
    write_mura_tree(root, patients=60, seed=3, size=SIZE)
    return root / "MURA-v1.1"


def test_names_carry_patient_study_finding_and_view(elbows):
    rows = names(elbows)
    assert len({row[0] for row in rows}) == 150
    assert {row[2] for row in rows} <= set(FINDINGS)
    assert {row[3] for row in rows} == set(VIEWS)
    assert {row[4] for row in rows} == {"png", "jpg"}


def test_every_elbow_finding_occurs(elbows):
    assert {row[2] for row in names(elbows)} == set(FINDINGS) - {"shaft_fracture"}


def test_injuries_are_a_little_under_half_and_views_are_balanced(elbows):
    rows = names(elbows)
    assert 0.36 < sum(label_of(row[2]) for row in rows) / len(rows) < 0.54
    assert 0.45 < sum(row[3] == "ap" for row in rows) / len(rows) < 0.55


def test_patients_have_several_images_and_some_have_a_treated_follow_up(elbows):
    patients = defaultdict(list)
    for patient, study, finding, _, _ in names(elbows):
        patients[patient].append((study, label_of(finding)))
    assert Counter(len(images) for images in patients.values()).most_common(1)[0][0] == 2
    both = [images for images in patients.values() if len({label for _, label in images}) == 2]
    assert len(both) > 5
    assert all((study == "1") == bool(label) for images in both for study, label in images)


def test_every_file_is_a_radiograph_of_about_the_requested_size(elbows):
    for path in elbows.glob("p*"):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.ndim == 2
        assert 0.87 * SIZE < max(image.shape) < 1.13 * SIZE


def test_no_two_files_are_the_same(elbows):
    assert len(set(contents(elbows).values())) == len(contents(elbows))


@pytest.mark.parametrize("write", [write_elbow_tree, write_folder_tree, write_mura_tree])
def test_two_workers_write_the_same_bytes_as_one(write, tmp_path):
    write(tmp_path / "one", patients=5, seed=8, size=SIZE)
    write(tmp_path / "two", patients=5, seed=8, size=SIZE, workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    write(tmp_path / "other", patients=5, seed=9, size=SIZE)
    shared = contents(tmp_path / "other").items() & contents(tmp_path / "one").items()
    assert not any(name.endswith((".png", ".jpg")) for name, _ in shared)


def test_more_patients_do_not_change_the_first_ones(elbows, tmp_path):
    write_elbow_tree(tmp_path / "few", patients=4, seed=3, size=SIZE)
    few = {path: data for path, data in contents(tmp_path / "few").items() if path[-4:] != "json"}
    assert few.items() <= contents(elbows).items()
    assert read_geometry(tmp_path / "few").items() <= read_geometry(elbows).items()


def test_a_complete_tree_is_not_rendered_again(tmp_path):
    write_elbow_tree(tmp_path, patients=2, seed=0, size=SIZE)
    image = next(tmp_path.glob("p0001*"))
    image.write_bytes(b"mine")
    write_elbow_tree(tmp_path, patients=2, seed=0, size=SIZE)
    assert image.read_bytes() == b"mine"


def test_a_killed_run_is_resumed(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    write_elbow_tree(whole, patients=4, seed=0, size=SIZE)
    write_elbow_tree(killed, patients=4, seed=0, size=SIZE)
    # A kill leaves the record under its first name, missing files and one partial folder.
    (killed / RECORD).rename(killed / f"{RECORD}.started")
    missing = sorted(killed.glob("p*"))[3:]
    for path in missing:
        path.unlink()
    leave_half_file(missing[0])
    write_elbow_tree(killed, patients=4, seed=0, size=SIZE)
    assert contents(killed) == contents(whole)


def test_a_killed_run_continues_after_the_last_patient_that_is_written(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    write_elbow_tree(whole, patients=6, seed=0, size=SIZE)
    write_elbow_tree(killed, patients=6, seed=0, size=SIZE)
    (killed / RECORD).rename(killed / f"{RECORD}.started")
    (killed / GEOMETRY).unlink()
    geometry = read_geometry(whole)
    with closing(GeometryJournal(killed)) as journal:
        for patient in range(1, 6):
            journal.append(
                {path: it for path, it in geometry.items() if path.startswith(f"p000{patient}_")}
            )
    next(killed.glob("p0004*")).unlink()  # A line whose image was lost does not count.
    with (killed / f"{GEOMETRY}.started").open("ab") as file:
        file.write(b'{"p0006')
    with closing(GeometryJournal(killed)) as journal:
        assert journal.patients == 3
    first = next(killed.glob("p0001*"))
    first.write_bytes(b"kept")
    write_elbow_tree(killed, patients=6, seed=0, size=SIZE)
    assert first.read_bytes() == b"kept"
    first.write_bytes((whole / first.name).read_bytes())
    assert contents(killed) == contents(whole)


@pytest.mark.parametrize("content", ["", "[]", '{"a.png": {"part": "hand"}}'])
def test_a_damaged_geometry_is_named(content, tmp_path):
    write_elbow_tree(tmp_path, patients=2, seed=0, size=SIZE)
    (tmp_path / GEOMETRY).write_text(content)
    with pytest.raises(UserError, match=GEOMETRY):
        read_geometry(tmp_path)


@pytest.mark.parametrize("unfinished", [False, True])
@pytest.mark.parametrize("change", [{"seed": 1}, {"patients": 3}, {"size": 65}])
def test_a_tree_with_other_settings_is_refused(change, unfinished, tmp_path):
    settings = {"patients": 2, "seed": 0, "size": SIZE}
    write_elbow_tree(tmp_path, **settings)
    if unfinished:
        (tmp_path / RECORD).rename(tmp_path / f"{RECORD}.started")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=next(iter(change))):
        write_elbow_tree(tmp_path, **(settings | change))
    assert contents(tmp_path) == before


def test_a_folder_of_other_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.png").write_bytes(b"mine")
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        write_elbow_tree(tmp_path, patients=2, seed=0, size=SIZE)
    assert contents(tmp_path) == {"mine.png": b"mine"}


def test_a_file_instead_of_the_folder_is_refused(tmp_path):
    (tmp_path / "tree").write_bytes(b"mine")
    with pytest.raises(UserError, match="is a file"):
        write_elbow_tree(tmp_path / "tree", patients=2, seed=0, size=SIZE)


def test_a_second_writer_is_refused_while_the_first_is_at_work(tmp_path):
    with (
        locked_folder(tmp_path, "first"),
        pytest.raises(UserError, match="is being written by another process"),
    ):
        write_elbow_tree(tmp_path, patients=2, seed=0, size=SIZE)


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / RECORD).write_text("{")
    with pytest.raises(UserError, match=RECORD):
        write_elbow_tree(tmp_path, patients=2, seed=0, size=SIZE)


@pytest.mark.parametrize(
    ("write", "change"),
    [
        (write_elbow_tree, {"patients": 0}),
        (write_elbow_tree, {"seed": -1}),
        (write_elbow_tree, {"size": 63}),
        (write_elbow_tree, {"workers": 0}),
        (write_mura_tree, {"patients": 1}),
    ],
)
def test_settings_out_of_range_are_named_before_anything_is_written(write, change, tmp_path):
    settings = {"patients": 2, "seed": 0, "size": SIZE, "workers": 1}
    with pytest.raises(UserError, match=next(iter(change))):
        write(tmp_path / "tree", **(settings | change))
    assert not (tmp_path / "tree").exists()


def test_the_label_is_injury_for_untreated_fractures_and_dislocations():
    injuries = {finding for finding in FINDINGS if label_of(finding)}
    assert injuries == {
        "supracondylar_fracture",
        "lateral_condyle_fracture",
        "radial_head_fracture",
        "olecranon_fracture",
        "dislocation",
        "fracture_dislocation",
        "shaft_fracture",
    }
    with pytest.raises(ValueError, match="sprain"):
        label_of("sprain")


def table(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


@pytest.mark.parametrize("split", ["train", "valid"])
def test_mura_tables_list_the_existing_files(mura, split):
    files = {str(path.relative_to(mura.parent)) for path in (mura / split).rglob("*.png")}
    listed = [line for (line,) in table(mura / f"{split}_image_paths.csv")]
    assert sorted(listed) == sorted(files)
    studies = table(mura / f"{split}_labeled_studies.csv")
    assert {study for study, _ in studies} == {path.rpartition("/")[0] + "/" for path in files}
    for study, label in studies:
        assert study.endswith({"1": "_positive/", "0": "_negative/"}[label])
    assert {label for _, label in studies} == {"0", "1"}


def test_mura_paths_have_the_form_of_mura(mura):
    shape = re.compile(
        r"MURA-v1\.1/(train|valid)/XR_(ELBOW|FOREARM|HUMERUS)"
        r"/patient\d{5}/study[12]_(positive|negative)/image[123]\.png"
    )
    lines = [
        line for name in ("train", "valid") for (line,) in table(mura / f"{name}_image_paths.csv")
    ]
    found = [shape.fullmatch(line) for line in lines]
    assert all(found)
    assert {match[2] for match in found if match} == {"ELBOW", "FOREARM", "HUMERUS"}


def test_mura_patients_are_in_one_split_and_valid_ones_come_last(mura):
    numbers = {
        split: {int(path.name[7:]) for path in (mura / split).glob("XR_*/patient*")}
        for split in ("train", "valid")
    }
    assert numbers["train"] == set(range(1, 55))
    assert numbers["valid"] == set(range(55, 61))


def test_the_record_contains_the_settings(elbows, mura):
    assert json.loads((elbows / RECORD).read_text()).items() >= {
        "tree": "elbow", "patients": 150, "seed": 3, "size": SIZE,
    }.items()  # fmt: skip
    assert json.loads((mura / RECORD).read_text())["tree"] == "mura"


def test_patients_of_another_seed_are_others(tmp_path):
    tree = {
        "kind": "folder",
        "classes": {"normal": 0, "injury": 1},
        "patient": r"(?P<patient>p\d+)",
    }
    found = [
        scan(
            tmp_path / str(seed),
            SyntheticSource.model_validate({"patients": 8, "seed": seed, "tree": tree}),
        )
        for seed in (0, 1)
    ]
    patients = [{row.patient_id for row in result.rows} for result in found]
    assert len(patients[0]) == len(patients[1]) == 8
    assert not patients[0] & patients[1]
    for result in found:
        assert {row.path for row in result.rows} == set(result.regions)
        for row in result.rows:
            kinds = {region.kind for region in result.regions[row.path]}
            assert row.label or not kinds & {"fracture", "dislocation"}
            assert row.body_part in {"elbow", "forearm", "humerus", "hand", "leg"}
            assert label_of(row.finding) == row.label
