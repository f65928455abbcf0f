"""GRAZPEDWRI-DX, on trees in the layout of its download."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.dataset import Region
from elbow_core.errors import UserError
from elbow_core.radiographs import read_radiograph
from elbow_core.sources import GrazPedWriSource, scan
from elbow_core.sources.grazpedwri_boxes import LABELS_FOLDER

HEADER = (
    "filestem,patient_id,study_number,timehash,gender,age,laterality,projection,initial_exam,"
    "ao_classification,cast,diagnosis_uncertain,osteopenia,fracture_visible,metal,pixel_spacing,"
    "device_manufacturer"
)
LINES = {
    "0001_1297860395_01_WRI-L1_M014": "1,1,1297860395,M,14.1,L,1,1,23r-M/2.1,,,,,,0.144,Siemens",
    "0001_1297860435_01_WRI-L2_M014": "1,1,1297860435,M,14.1,L,2,1,23r-M/2.1,,,,1,,0.144,Siemens",
    "0002_0354485735_01_WRI-R1_F012": "2,1,0354485735,F,12,R,1,1,,,1.0,,,,0.144,Agfa",
    "0003_0663715732_02_WRI-R1_M011": "3,2,0663715732,M,11.2,R,1,,23-M/3.1,1,,1,1.0,,0.168,Agfa",
    "0004_0542630449_03_WRI-L3_F003": "4,3,0542630449,F,,L,3,0,,,,,0,1,,",
}
FOLDERS = ("images_part1", "images_part1", "images_part2", "images_part3", "images_part4")


def write_table(root: Path, lines: dict[str, str], header: str = HEADER) -> None:
    rows = [header, *(f"{stem},{values}" for stem, values in lines.items())]
    (root / "dataset.csv").write_text("\n".join(rows) + "\n")


@pytest.fixture
def download(tmp_path) -> Path:
    write_table(tmp_path, LINES)
    for stem, folder in zip(LINES, FOLDERS, strict=True):
        (tmp_path / folder).mkdir(exist_ok=True)
        pixels = np.arange(80 * 50, dtype=np.uint16).reshape(80, 50)
        assert cv2.imwrite(str(tmp_path / folder / f"{stem}.png"), pixels)
    return tmp_path


def test_label_is_the_visible_fracture_of_this_projection(download):
    rows = scan(download, GrazPedWriSource()).rows
    assert [(row.patient_id, row.view, row.label) for row in rows] == [
        *(("1", "ap", 0), ("1", "lateral", 1), ("2", "ap", 0), ("3", "ap", 1)),
        ("4", "oblique", 0),
    ]
    assert rows[0].image_id == "0001_1297860395_01_WRI-L1_M014.png"
    assert rows[0].path == f"images_part1/{rows[0].image_id}"
    assert [row.study_id for row in rows] == ["1", "1", "1", "2", "3"]
    assert {(row.body_part, row.source, row.split) for row in rows} == {("wrist", "grazpedwri", "")}


def test_columns_become_attributes_and_metal_part_of_the_finding(download):
    rows = scan(download, GrazPedWriSource()).rows
    assert [row.finding for row in rows] == [
        *("no fracture", "fracture", "no fracture", "fracture", "no fracture, hardware"),
    ]
    assert dict(rows[3].attributes) == {
        "age": "11",
        "ao_classification": "23-M/3.1",
        "cast": "present",
        "diagnosis_uncertain": "absent",
        "exam": "follow-up",
        "laterality": "R",
        "manufacturer": "Agfa",
        "osteopenia": "present",
        "pixel_spacing": "0.168",
        "sex": "M",
    }
    # What is unknown is left out.
    assert dict(rows[4].attributes).keys() == {
        *("cast", "diagnosis_uncertain", "exam", "laterality", "osteopenia", "sex"),
    }


@pytest.mark.parametrize(
    ("leave_out", "left_out"),
    [
        (("cast",), {"3": "cast"}),
        (("metal",), {"4": "metal"}),
        (("diagnosis_uncertain",), {"2": "diagnosis_uncertain"}),
        (("osteopenia",), {"3": "osteopenia"}),
        (("follow_up",), {"3": "follow_up", "4": "follow_up"}),
        (("follow_up", "metal"), {"3": "follow_up", "4": "follow_up, metal"}),
    ],
)
def test_images_of_a_kind_can_be_left_out_with_the_reason(download, leave_out, left_out):
    found = scan(download, GrazPedWriSource(leave_out=leave_out))
    rejected = {
        Path(entry.path).name[3]: entry.reason.removeprefix("is left out: ")
        for entry in found.rejected
    }
    assert rejected == left_out
    assert len(found.rows) == len(LINES) - len(left_out)
    assert not any(entry.contradiction for entry in found.rejected)


def test_all_images_may_lie_in_one_folder_below_the_root(download, tmp_path_factory):
    parent = tmp_path_factory.mktemp("parent")
    (download / "images").mkdir()
    for image in download.glob("images_part*/*.png"):
        image.rename(download / "images" / image.name)
    for folder in set(FOLDERS):
        (download / folder).rmdir()
    download.rename(parent / "GRAZPEDWRI-DX")
    rows = scan(parent, GrazPedWriSource()).rows
    assert {row.path.rpartition("/")[0] for row in rows} == {"GRAZPEDWRI-DX/images"}
    assert len(rows) == len(LINES)


def test_image_in_only_one_of_folder_and_table_is_rejected(download):
    first, second, *_ = LINES
    (download / "images_part1" / f"{first}.png").rename(download / "images_part1/other.png")
    found = scan(download, GrazPedWriSource())
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        (first, "is listed in dataset.csv but does not exist"),
        ("images_part1/other.png", "is not listed in dataset.csv"),
    ]
    assert second in found.rows[0].path


def test_image_that_the_table_lists_with_both_labels_is_a_contradiction(download):
    stem = next(iter(LINES))
    with (download / "dataset.csv").open("a") as table:
        table.write(f"{stem},1,1,1297860395,M,14.1,L,1,1,23r-M/2.1,,,,1,,0.144,Siemens\n")
    (entry,) = scan(download, GrazPedWriSource()).rejected
    assert entry.contradiction
    assert entry.reason == (
        "has two labels: fracture_visible is 0 on line 2 of dataset.csv and 1 on line 7"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",L,1,1,23r-M/2.1,,,,,,", ",L,1,1,23r-M/2.1,yes,,,,,", "csv:2: cast: 'yes' is neither"),
        ("M,14.1,L,1", "M,014Y,L,1", "csv:2: age: '014Y' is not a number from 0 to 120"),
        ("M,14.1,L,1", "M,999,L,1", "csv:2: age: '999' is not a number from 0 to 120"),
        ("M014,1,1,1297860395", "M014,,1,1297860395", "csv:2: patient_id: is empty"),
        (",metal,", ",iron,", "csv:1: has no column metal"),
    ],
)
def test_broken_table_is_named(download, old, new, message):
    table = download / "dataset.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=message):
        scan(download, GrazPedWriSource())


def test_image_that_the_table_lists_twice_is_named(download):
    stem, values = next(iter(LINES.items()))
    with (download / "dataset.csv").open("a") as table:
        table.write(f"{stem},{values}\n")
    with pytest.raises(UserError, match=rf"csv:7: {stem} is repeated"):
        scan(download, GrazPedWriSource())


def test_name_in_two_folders_is_named(download):
    stem = next(iter(LINES))
    shutil.copy(download / "images_part1" / f"{stem}.png", download / "images_part2")
    with pytest.raises(UserError, match="the same name is also at images_part1"):
        scan(download, GrazPedWriSource())


def test_folder_that_is_not_grazpedwri_is_named(tmp_path):
    with pytest.raises(UserError, match="is it GRAZPEDWRI-DX"):
        scan(tmp_path, GrazPedWriSource())
    write_table(tmp_path, LINES)
    with pytest.raises(UserError, match="has none of the folders images_part1"):
        scan(tmp_path, GrazPedWriSource())


@pytest.fixture
def labels(download) -> Path:
    folder = download / LABELS_FOLDER
    folder.mkdir(parents=True)
    return folder


def test_boxes_are_in_pixels_and_text_is_none(download, labels):
    first, second, *_ = LINES
    (labels / f"{first}.txt").write_text("8 0.5 0.5 0.1 0.1\n")
    (labels / f"{second}.txt").write_text("3 0.5 0.25 0.2 0.1\n\n8 0.1 0.1 0.1 0.1\n4 1 1 0.2 0.5")
    regions = scan(download, GrazPedWriSource()).regions
    assert list(regions) == [f"images_part1/{second}.png"]  # 50 pixels wide, 80 high
    fracture, metal = regions[f"images_part1/{second}.png"]
    assert (fracture.kind, metal.kind) == ("fracture", "metal")
    assert (fracture.x, fracture.y, fracture.width, fracture.height) == pytest.approx(
        (20, 16, 10, 8)
    )
    # What lies beyond the image is cut off.
    assert (metal.x, metal.y, metal.width, metal.height) == pytest.approx((45, 60, 5, 20))
    assert isinstance(metal, Region)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("9 0.5 0.5 0.1 0.1", "is not a class from 0 to 8"),
        ("3 0.5 0.5 0.1", "is not a class from 0 to 8"),
        ("3 0.5 x 0.1 0.1", "'x' is not a number from 0 to 1"),
        ("3 0.5 1.5 0.1 0.1", "'1.5' is not a number from 0 to 1"),
        ("3 0.5 0.5 0 0.1", "the box is empty"),
    ],
)
def test_wrong_boxes_are_named(line, problem, download, labels):
    stem = next(iter(LINES))
    (labels / f"{stem}.txt").write_text(f"3 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(UserError, match=rf"{stem}\.txt:2: {problem}"):
        scan(download, GrazPedWriSource())


def test_boxes_of_a_file_that_is_no_png_are_not_used(download, labels):
    stem = next(iter(LINES))
    (labels / f"{stem}.txt").write_text("3 0.5 0.5 0.1 0.1\n")
    (download / "images_part1" / f"{stem}.png").write_bytes(b"\x89PNG")
    assert scan(download, GrazPedWriSource()).regions == {}


def test_real_radiographs_are_read_with_16_bits(real_radiographs, tmp_path):
    images = sorted((real_radiographs / "png16").glob("*.png"))
    if len(images) != 2:
        pytest.skip("the two 16-bit radiographs of GRAZPEDWRI-DX are not on this machine")
    (tmp_path / "images_part1").mkdir()
    lines = {}
    for image, projection in zip(images, ("1", "1"), strict=True):
        shutil.copy(image, tmp_path / "images_part1")
        patient, time, study, _, person = image.stem.split("_")
        lines[image.stem] = (
            f"{int(patient)},{int(study)},{time},{person[0]},{int(person[1:])}.5,L,{projection},1,"
            ",,,,1,,0.144,"
        )
    write_table(tmp_path, lines)
    rows = scan(tmp_path, GrazPedWriSource()).rows
    assert [dict(row.attributes)["age"] for row in rows] == ["14", "3"]
    for row, image in zip(rows, images, strict=True):
        stored = cv2.imread(str(image), cv2.IMREAD_UNCHANGED)
        assert stored is not None
        assert stored.dtype == np.uint16
        pixels = read_radiograph(tmp_path / row.path)
        assert pixels.shape == stored.shape
        assert pixels.min() == 0
        assert len(np.unique(pixels)) > 200
