"""Sets of maps, data and folders that are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from elbow_core.dataset import REGIONS_FILE, read_regions, write_regions
from elbow_core.errors import HeatMapError, PredictionsError
from tests.support.heat_maps import write_set
from tests.support.localisation import judge, noise, report


def remove_rows(card: Path, keep: int) -> None:
    content = json.loads(card.read_text())
    content["images"] = content["images"][:keep]
    card.write_text(json.dumps(content))


def rename(card: Path, position: int, **changes: Any) -> None:
    content = json.loads(card.read_text())
    content["images"][position] |= changes
    card.write_text(json.dumps(content))


def test_sets_that_do_not_belong_together_are_refused(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    again = write_set(tmp_path / "again", data, noise)
    with pytest.raises(HeatMapError, match=r"'Grad-CAM, small' is the name of other maps too"):
        judge(data, good, again)
    random = write_set(tmp_path / "random", data, noise, weights="random", network="large")
    with pytest.raises(HeatMapError, match="give also the maps of Grad-CAM on the trained large"):
        judge(data, good, random)
    other = write_set(tmp_path / "other", data, noise, method="Other")
    remove_rows(other / "maps.json", 10)
    with pytest.raises(HeatMapError, match="other: has no map of image 'test_10'"):
        judge(data, good, other)
    with pytest.raises(HeatMapError, match="other: has no map of image 'test_10'"):
        judge(data, other, good)


def test_images_that_do_not_fit_the_prepared_data_are_refused(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    rename(good / "maps.json", 3, image_id="gone")
    with pytest.raises(HeatMapError, match="image 'gone' is not in the prepared data"):
        judge(data, good)
    rename(good / "maps.json", 3, image_id="test_03", height=64)
    with pytest.raises(HeatMapError, match="'test_03' has 64 x 32 pixels on the card, but 32 x 32"):
        judge(data, good)
    train = write_set(tmp_path / "train", data, noise, split="train")
    with pytest.raises(HeatMapError, match="'train_00' is of the training split"):
        judge(data, train)


def test_data_without_boxes_are_refused(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    rows = {row.image_id: row for row in data.rows}
    regions = read_regions(data.directory, data.rows)
    for split, message in (
        ("test", "none of its 11 images is injured and has a box of fracture or dislocation"),
        ("train", "the centre prior cannot be fitted"),
    ):
        kept = [(rows[image], found) for image, found in regions.items() if split not in image]
        write_regions(data.directory / REGIONS_FILE, kept, data.directory)
        with pytest.raises(HeatMapError, match=message):
            judge(data, good)


def test_damaged_map_leaves_the_earlier_report(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    report(data, good)
    before = (tmp_path / "out" / "localisation.json").read_bytes()
    (good / "00004.npy").write_bytes(b"")
    with pytest.raises(HeatMapError, match=r"00004\.npy: is not a \.npy file"):
        report(data, good)
    assert (tmp_path / "out" / "localisation.json").read_bytes() == before


def test_folder_with_anything_else_is_refused(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    report(data, good)
    (tmp_path / "out" / "thesis.tex").write_text("mine")
    with pytest.raises(PredictionsError, match=r"holds other files, such as thesis\.tex"):
        report(data, good)
    other = tmp_path / "other"
    other.mkdir()
    (other / "metrics.json").write_text("{}")
    with pytest.raises(PredictionsError, match="holds other files"):
        report(data, good, out="other")
