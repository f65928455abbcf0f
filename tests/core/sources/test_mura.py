from collections import Counter
from pathlib import Path

import pytest

from elbow_core.dataset import check_leakage, count_classes
from elbow_core.errors import UserError
from elbow_core.sources import MuraSource, scan

IMAGES = (
    "train/XR_ELBOW/patient00001/study1_positive/image1.png",
    "train/XR_ELBOW/patient00001/study1_positive/image2.png",
    "train/XR_ELBOW/patient00002/study1_negative/image1.png",
    "train/XR_WRIST/patient00001/study1_negative/image1.png",
    "valid/XR_ELBOW/patient11185/study1_positive/image1.png",
    "valid/XR_ELBOW/patient11186/study1_negative/image1.png",
)


def studies(split: str) -> list[str]:
    found = dict.fromkeys(path.rpartition("/")[0] for path in IMAGES if path.startswith(split))
    return [f"MURA-v1.1/{study}/,{int(study.endswith('positive'))}" for study in found]


def paths(split: str) -> list[str]:
    return [f"MURA-v1.1/{path}" for path in IMAGES if path.startswith(split)]


@pytest.fixture
def mura(tmp_path) -> Path:
    for path in IMAGES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    for split in ("train", "valid"):
        write(tmp_path / f"{split}_image_paths.csv", paths(split))
        write(tmp_path / f"{split}_labeled_studies.csv", studies(split))
    return tmp_path


def write(table: Path, lines: list[str], end: str = "\n", last: str = "\n") -> None:
    table.write_text(end.join(lines) + last, newline="")


def test_folders_give_label_split_patient_study_and_part(mura):
    rows = {row.image_id: row for row in scan(mura, MuraSource()).rows}
    assert tuple(rows) == IMAGES
    row = rows[IMAGES[0]]
    assert (row.label, row.split, row.finding) == (1, "train", "abnormal")
    assert (row.patient_id, row.study_id) == ("patient00001", "patient00001/elbow/study1")
    assert (row.body_part, row.view, row.source) == ("elbow", "", "mura")
    assert rows[IMAGES[2]].label == 0
    assert {row.split for row in list(rows.values())[4:]} == {"validation"}


def test_same_study_number_of_another_part_is_another_study(mura):
    rows = {row.image_id: row for row in scan(mura, MuraSource()).rows}
    assert rows[IMAGES[0]].patient_id == rows[IMAGES[3]].patient_id
    assert rows[IMAGES[0]].study_id != rows[IMAGES[3]].study_id


def test_root_can_be_the_parent_folder(mura, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parent")
    mura.rename(parent / "MURA-v1.1")
    rows = scan(parent, MuraSource()).rows
    assert [row.path for row in rows] == [f"MURA-v1.1/{path}" for path in IMAGES]
    assert [row.image_id for row in rows] == list(IMAGES)


def test_parts_that_are_not_wanted_are_rejected(mura):
    found = scan(mura, MuraSource(parts=("elbow",)))
    assert {row.body_part for row in found.rows} == {"elbow"}
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        (IMAGES[3], "shows the wrist, which is not among the parts")
    ]


def test_tables_are_optional(mura):
    for table in mura.glob("*.csv"):
        table.unlink()
    assert len(scan(mura, MuraSource()).rows) == 6


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n"])
@pytest.mark.parametrize("header", [[], ["image_path"], ["\ufeffpath,label"]])
def test_tables_in_the_wild_are_read(mura, end, last, header):
    for split in ("train", "valid"):
        write(mura / f"{split}_image_paths.csv", header + paths(split), end, last)
        write(mura / f"{split}_labeled_studies.csv", header + studies(split), end, last)
    found = scan(mura, MuraSource())
    assert len(found.rows) == 6
    assert found.rejected == []


def test_image_in_only_one_of_folder_and_table_is_rejected(mura):
    extra = mura / "train/XR_ELBOW/patient00001/study1_positive/image3.png"
    extra.write_bytes(b"x")
    (mura / IMAGES[5]).unlink()
    found = scan(mura, MuraSource())
    assert len(found.rows) == 5
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        (extra.relative_to(mura).as_posix(), "is not listed in train_image_paths.csv"),
        (IMAGES[5].rpartition("/")[0], "is listed in valid_labeled_studies.csv but does not exist"),
        (IMAGES[5], "is listed in valid_image_paths.csv but does not exist"),
    ]


def test_image_whose_study_the_table_lacks_is_rejected(mura):
    write(mura / "train_labeled_studies.csv", studies("train")[1:])
    found = scan(mura, MuraSource())
    reason = "its study is not in train_labeled_studies.csv"
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        (IMAGES[0], reason),
        (IMAGES[1], reason),
    ]


def contradictions(root: Path) -> list[tuple[str, str]]:
    """Return path and reason of the contradictions; all else must be a row."""
    found = scan(root, MuraSource())
    assert all(entry.contradiction for entry in found.rejected)
    assert sorted([row.path for row in found.rows] + [entry.path for entry in found.rejected]) == (
        sorted(IMAGES)
    )
    return [(entry.path, entry.reason) for entry in found.rejected]


@pytest.mark.parametrize("added", [",0", ",1"])
def test_images_of_a_study_that_the_table_lists_with_both_labels_are_rejected(mura, added):
    lines = studies("train")
    lines = [line.replace(",1", ",0") if added == ",1" else line for line in lines]
    write(mura / "train_labeled_studies.csv", [*lines, lines[0][:-2] + added])
    reason = "its study has two labels: it is listed with 0 and with 1 in train_labeled_studies.csv"
    assert contradictions(mura) == [(IMAGES[0], reason), (IMAGES[1], reason)]


def test_study_listed_twice_with_one_label_is_read(mura):
    lines = studies("train")
    write(mura / "train_labeled_studies.csv", [*lines, lines[0]])
    assert contradictions(mura) == []


def test_missing_image_of_an_unwanted_part_is_ignored(mura):
    (mura / IMAGES[3]).unlink()
    assert scan(mura, MuraSource(parts=("elbow",))).rejected == []


def test_images_of_a_study_whose_folder_contradicts_the_table_are_rejected(mura):
    wrong = [line.replace("positive/,1", "positive/,0") for line in studies("train")]
    write(mura / "train_labeled_studies.csv", wrong)
    table = "train_labeled_studies.csv"
    reason = f"its study has two labels: its folder is positive, but {table} says 0"
    assert contradictions(mura) == [(IMAGES[0], reason), (IMAGES[1], reason)]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("train_image_paths.csv", [], "lists nothing"),
        ("train_image_paths.csv", ["a", "b"], "csv:2: 'b' is not a path in train"),
        ("train_labeled_studies.csv", ["MURA-v1.1/train/a/,yes"], "does not end in ,0 or ,1"),
    ],
)
def test_broken_table_is_named(mura, name, lines, message):
    write(mura / name, lines)
    with pytest.raises(UserError, match=message):
        scan(mura, MuraSource())


def test_other_files_among_the_images_are_rejected(mura):
    (mura / "train/XR_ELBOW/patient00001/study1_positive/._image1.png").write_bytes(b"x")
    (mura / "train/XR_ELBOW/stray.png").write_bytes(b"x")
    found = scan(mura, MuraSource())
    assert len(found.rows) == 6
    assert [entry.reason for entry in found.rejected] == [
        "is a hidden file",
        "is in a folder where MURA has no images",
    ]


def test_folder_that_is_not_mura_is_named(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}: contains neither train nor.*is it MURA"):
        scan(tmp_path, MuraSource())


# Images of MURA v1.1 by part: normal and abnormal in train, normal and abnormal in valid.
PUBLISHED = {
    "elbow": (2925, 2006, 235, 230),
    "finger": (3138, 1968, 214, 247),
    "forearm": (1164, 661, 150, 151),
    "hand": (4059, 1484, 271, 189),
    "humerus": (673, 599, 148, 140),
    "shoulder": (4211, 4168, 285, 278),
    "wrist": (5765, 3987, 364, 295),
}
PATIENTS = {"train": (1, 11_184), "valid": (11_185, 783)}


def write_published_tree(root: Path) -> None:
    """Write empty image files with the counts of MURA by patient, part and class, and tables."""
    for split, (first, patients) in PATIENTS.items():
        column = 2 * (split == "valid")
        kinds = [
            (part, result)
            for part, counts in PUBLISHED.items()
            for result, count in zip(
                ("negative", "positive"), counts[column : column + 2], strict=True
            )
            for _ in range(count)
        ]
        paths = []
        for number, (part, result) in enumerate(kinds):
            patient = first + number * patients // len(kinds)
            study = f"study{1 + (result == 'positive')}_{result}"
            folder = f"{split}/XR_{part.upper()}/patient{patient:05d}/{study}"
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / f"image{number}.png").touch()
            paths.append(f"MURA-v1.1/{folder}/image{number}.png")
        studies = dict.fromkeys(path.rpartition("/")[0] for path in paths)
        labels = [f"{study}/,{int(study.endswith('positive'))}" for study in studies]
        write(root / f"{split}_image_paths.csv", paths)
        write(root / f"{split}_labeled_studies.csv", labels)


@pytest.mark.slow
def test_tree_of_the_size_of_mura_gives_its_published_counts(tmp_path):
    write_published_tree(tmp_path / "MURA-v1.1")
    found = scan(tmp_path, MuraSource())
    assert found.rejected == []
    counts = Counter((row.body_part, row.split, row.label) for row in found.rows)
    for part, published in PUBLISHED.items():
        keys = [(part, split, label) for split in ("train", "validation") for label in (0, 1)]
        assert tuple(counts[key] for key in keys) == published
    assert count_classes(found.rows) == {"train": (21_935, 14_873), "validation": (1667, 1530)}
    patients = {row.split: set[str]() for row in found.rows}
    for row in found.rows:
        patients[row.split].add(row.patient_id)
    assert {split: len(ids) for split, ids in patients.items()} == {
        "train": 11_184,
        "validation": 783,
    }
    check_leakage(found.rows)
    for table in (tmp_path / "MURA-v1.1").glob("*.csv"):
        table.unlink()
    assert scan(tmp_path, MuraSource()).rows == found.rows


def test_published_counts_of_the_parts_add_up_to_those_of_the_whole():
    sums = [sum(column) for column in zip(*PUBLISHED.values(), strict=True)]
    assert sums == [21_935, 14_873, 1667, 1530]
