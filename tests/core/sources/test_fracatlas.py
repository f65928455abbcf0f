from pathlib import Path

import pytest

from elbow_core.dataset import Region
from elbow_core.errors import UserError
from elbow_core.sources import FracAtlasSource, scan

FULL = (
    "image_id,hand,leg,hip,shoulder,mixed,hardware,multiscan,fractured,fracture_count,"
    "frontal,lateral,oblique"
)
LINES = {
    "IMG0000001.jpg": "1,0,0,0,0,0,0,1,2,1,0,0",
    "IMG0000002.jpg": "0,1,0,0,0,1,0,0,0,0,1,0",
    "IMG0000003.jpg": "1,0,0,1,1,0,1,0,0,1,0,1",
}
FOLDERS = {"1": "Fractured", "0": "Non_fractured"}


def write_table(root: Path, lines: dict[str, str], header: str = FULL) -> None:
    (root / "dataset.csv").write_text(
        "\n".join([header, *(f"{name},{values}" for name, values in lines.items())]) + "\n"
    )


@pytest.fixture
def download(tmp_path) -> Path:
    write_table(tmp_path, LINES)
    for name, values in LINES.items():
        folder = tmp_path / "images" / FOLDERS[values.split(",")[7]]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return tmp_path


def test_download_gives_label_part_view_and_hardware(download):
    rows = {row.image_id: row for row in scan(download, FracAtlasSource()).rows}
    assert len(rows) == 3
    first = rows["IMG0000001.jpg"]
    assert first.path == "images/Fractured/IMG0000001.jpg"
    assert (first.label, first.finding, first.body_part, first.view) == (
        1,
        "fracture",
        "hand",
        "ap",
    )
    second = rows["IMG0000002.jpg"]
    assert (second.label, second.finding) == (0, "no fracture, hardware")
    assert (second.body_part, second.view) == ("leg", "lateral")
    third = rows["IMG0000003.jpg"]
    assert (third.body_part, third.view) == ("hand+shoulder", "")  # Two views in one image.


def test_each_image_is_its_own_patient(download):
    rows = scan(download, FracAtlasSource()).rows
    assert [row.patient_id for row in rows] == [Path(row.path).stem for row in rows]
    assert [row.study_id for row in rows] == [row.patient_id for row in rows]
    assert {row.split for row in rows} == {""}


def test_flat_subset_is_read_too(tmp_path):
    header = "image_id,fractured,hand,shoulder,mixed,hardware,multiscan,frontal,lateral,oblique"
    (tmp_path / "labels.csv").write_text(f"{header}\nIMG1.jpg,1,1,0,0,0,0,0,0,1\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/IMG1.jpg").write_bytes(b"x")
    (row,) = scan(tmp_path, FracAtlasSource(parts=("hand",))).rows
    assert (row.path, row.label, row.view) == ("images/IMG1.jpg", 1, "oblique")


def test_root_can_be_the_parent_folder(download, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parent")
    download.rename(parent / "FracAtlas")
    rows = scan(parent, FracAtlasSource()).rows
    assert {row.path.split("/")[0] for row in rows} == {"FracAtlas"}
    assert "IMG0000001.jpg" in {row.image_id for row in rows}


def test_images_of_other_parts_are_rejected(download):
    found = scan(download, FracAtlasSource(parts=("hand",)))
    assert [row.image_id for row in found.rows] == ["IMG0000001.jpg"]
    assert [entry.reason for entry in found.rejected] == [
        "shows leg, not only wanted parts",
        "shows hand, shoulder, not only wanted parts",
    ]


def test_image_in_only_one_of_folder_and_table_is_rejected(download):
    (download / "images/Fractured/IMG0000009.jpg").write_bytes(b"x")
    (download / "images/Non_fractured/IMG0000002.jpg").unlink()
    found = scan(download, FracAtlasSource())
    assert [row.image_id for row in found.rows] == ["IMG0000001.jpg", "IMG0000003.jpg"]
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        ("IMG0000002.jpg", "is listed in dataset.csv but does not exist"),
        ("images/Fractured/IMG0000009.jpg", "is not listed in dataset.csv"),
    ]


def contradictions(root: Path) -> list[tuple[str, str]]:
    """Return path and reason of the contradictions; all else must be a row."""
    found = scan(root, FracAtlasSource())
    assert all(entry.contradiction for entry in found.rejected)
    used = {row.path for row in found.rows}
    assert not used & {entry.path for entry in found.rejected}
    assert len(used) + len(found.rejected) == len(list((root / "images").rglob("*.jpg")))
    return [(entry.path, entry.reason) for entry in found.rejected]


@pytest.mark.parametrize(
    ("name", "label", "folder"),
    [("IMG0000001.jpg", "1", "Non_fractured"), ("IMG0000002.jpg", "0", "Fractured")],
)
def test_image_whose_folder_contradicts_the_table_is_rejected_with_both_labels(
    download, name, label, folder
):
    (download / "images" / FOLDERS[label] / name).rename(download / "images" / folder / name)
    assert contradictions(download) == [
        (
            f"images/{folder}/{name}",
            f"has two labels: it lies in {folder}, but fractured is {label} in dataset.csv",
        )
    ]


def test_image_in_both_folders_is_rejected_at_both_places(download):
    (download / "images/Non_fractured/IMG0000001.jpg").write_bytes(b"x")
    reason = "has two labels: it lies in Fractured and in Non_fractured"
    assert contradictions(download) == [
        ("images/Fractured/IMG0000001.jpg", reason),
        ("images/Non_fractured/IMG0000001.jpg", reason),
    ]


def test_image_that_the_table_lists_with_both_labels_is_rejected(download):
    with (download / "dataset.csv").open("a") as table:
        table.write("IMG0000001.jpg,1,0,0,0,0,0,0,0,0,1,0,0\n")
    reason = "has two labels: fractured is 1 on line 2 of dataset.csv and 0 on line 5"
    assert contradictions(download) == [("images/Fractured/IMG0000001.jpg", reason)]


def test_contradiction_of_an_image_that_is_not_wanted_does_not_matter(download):
    (download / "images/Non_fractured/IMG0000002.jpg").rename(
        download / "images/Fractured/IMG0000002.jpg"
    )
    found = scan(download, FracAtlasSource(parts=("hand", "shoulder")))
    assert [(entry.reason, entry.contradiction) for entry in found.rejected] == [
        ("shows leg, not only wanted parts", False)
    ]


def test_name_twice_in_folders_that_state_no_label_is_an_error(download):
    (download / "images/old").mkdir()
    (download / "images/old/IMG0000001.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="the same name is also at"):
        scan(download, FracAtlasSource())


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        ({}, FULL, "lists no images"),
        (LINES, FULL.replace("fractured,", "broken,", 1), "has no column fractured"),
        (
            LINES | {"IMG0000002.jpg": "0,1,0,0,0,1,0,x,0,0,1,0"},
            FULL,
            "csv:3: fractured: 'x' is neither 0 nor 1",
        ),
        (LINES | {"IMG0000003.jpg": "1,0"}, FULL, "csv:4: 3 values under 13 columns"),
    ],
)
def test_broken_table_is_named(download, lines, header, message):
    write_table(download, lines, header)
    with pytest.raises(UserError, match=message):
        scan(download, FracAtlasSource())


def test_image_that_the_table_lists_twice_is_named(download):
    with (download / "dataset.csv").open("a") as table:
        table.write(f"IMG0000001.jpg,{LINES['IMG0000001.jpg']}\n")
    with pytest.raises(UserError, match=r"csv:5: IMG0000001\.jpg is repeated"):
        scan(download, FracAtlasSource())


def test_folder_that_is_not_fracatlas_is_named(tmp_path):
    with pytest.raises(UserError, match="is it FracAtlas"):
        scan(tmp_path, FracAtlasSource())


def test_real_download_is_read_in_all_its_parts(real_radiographs):
    found = scan(real_radiographs / "fracatlas", FracAtlasSource())
    assert (len(found.rows), sum(row.label for row in found.rows)) == (3496, 577)
    assert found.rejected == []


def test_real_subset_has_its_published_counts(real_radiographs):
    found = scan(real_radiographs / "fracatlas_upper_limb", FracAtlasSource())
    assert len(found.rows) == 1062
    assert sum(row.label for row in found.rows) == 296
    assert found.rejected == []


BOXES = "image_id,x,y,width,height\n"


def test_boxes_beside_the_table_are_read(download):
    (download / "boxes.csv").write_text(
        f"{BOXES}IMG0000001.jpg,10.5,20,5,6\nIMG0000001.jpg,1,2,3,4\nIMG0000009.jpg,1,1,1,1\n"
    )
    found = scan(download, FracAtlasSource())
    assert found.regions == {
        "images/Fractured/IMG0000001.jpg": [
            Region("fracture", 10.5, 20.0, 5.0, 6.0),
            Region("fracture", 1.0, 2.0, 3.0, 4.0),
        ]
    }


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("image_id,x,y,width\n", "has no column height"),
        (f"{BOXES}IMG0000001.jpg,1,1,x,1\n", r"boxes.csv:2: width: 'x' is not a number"),
    ],
)
def test_wrong_boxes_are_named(content, problem, download):
    (download / "boxes.csv").write_text(content)
    with pytest.raises(UserError, match=problem):
        scan(download, FracAtlasSource())
