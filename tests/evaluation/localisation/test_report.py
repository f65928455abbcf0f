"""From sets of maps and prepared data to the report: images, baselines, pairs, refusals, files."""

import csv
import json
import math
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elbow_core.dataset import (
    REGIONS_FILE,
    ManifestRow,
    PreparedData,
    Region,
    open_prepared,
    read_regions,
    write_regions,
)
from elbow_core.errors import HeatMapError, PredictionsError
from elbow_core.evaluation.heat_maps import HeatMaps, open_maps, write_maps
from elbow_core.evaluation.localisation import (
    LocalisationSettings,
    __main__,
    compare_maps,
    write_localisation,
)
from elbow_core.evaluation.localisation.boxes import boxes_of
from elbow_core.evaluation.localisation.cases import case_of
from elbow_core.evaluation.localisation.centre_prior import fit_centre_prior
from elbow_core.evaluation.localisation.content import Estimate, PairedDifference
from elbow_core.evaluation.localisation.figures import overlay
from elbow_core.evaluation.localisation.judging import judge_maps
from elbow_core.evaluation.localisation.sections import verdicts
from tests.support.commands import refusal_of, status_of
from tests.support.heat_maps import card_of, write_set
from tests.support.prepare_folders import edit_manifest
from tests.support.small_data import write_prepared

METAL = Region("metal", 0.0, 0.0, 50.0, 50.0)
FEW = LocalisationSettings(draws=200)


@pytest.fixture
def data(tmp_path) -> PreparedData:
    return open_prepared(write_prepared(tmp_path / "data"))


def perfect(data: PreparedData, side: int = 32):
    """Maps that are 1 in the boxes and 0 elsewhere; on normal images 0."""
    regions = read_regions(data.directory, data.rows)

    def map_of(row: ManifestRow) -> np.ndarray:
        values = np.zeros((side, side))
        for box in regions.get(row.image_id, []):
            top, left = int(box.y), int(box.x)
            values[top : top + 8, left : left + 8] = 1
        return values

    return map_of


def noise(row: ManifestRow) -> np.ndarray:
    seed = sum(map(ord, row.image_id))
    return np.random.default_rng(seed).random((32, 32))


def judge(data: PreparedData, *sets: Path) -> dict[str, Any]:
    return compare_maps(sets, data.directory, FEW).to_json()


def report(data: PreparedData, *sets: Path, out: str = "out") -> dict[str, Any]:
    comparison = compare_maps(sets, data.directory, FEW)
    return write_localisation(comparison, data.directory.parent / out)


def values_of(written: dict[str, Any], label: str) -> dict[str, float]:
    return {name: row["value"] for name, row in written["sets"][label]["measures"].items()}


def test_perfect_maps_score_one_and_beat_every_baseline(tmp_path, data):
    good = write_set(tmp_path / "good", data, perfect(data))
    random = write_set(tmp_path / "random", data, noise, weights="random")
    written = judge(data, good, random)
    assert set(values_of(written, "Grad-CAM, small").values()) == {1.0}
    assert (written["located"], written["boxes"], written["normal"]) == (5, 5, 6)
    assert written["patients"] == 11
    assert written["boxes_share"] == pytest.approx(64 / 1024)
    rows = {(row["first"], row["second"], row["measure"]): row for row in written["differences"]}
    baselines = {"centre prior", "Grad-CAM, small, random weights"}
    assert {second for _, second, _ in rows} == baselines
    assert all(rows["Grad-CAM, small", second, "iou"]["low"] > 0 for second in baselines)
    measures = written["sets"]["Grad-CAM, small"]["measures"]
    # All five images are hit: Wilson's interval of five of five.
    assert measures["pointing"]["low"] == pytest.approx(0.5655, abs=1e-4)
    assert measures["pointing"]["high"] == 1
    nothing = {"low": None, "high": None, "reason": "the same in every bootstrap draw"}
    assert measures["iou"] == {"value": 1.0} | nothing


def test_files_of_the_report_say_the_same(tmp_path, data):
    good = write_set(tmp_path / "good", data, perfect(data))
    bad = write_set(tmp_path / "bad", data, noise, method="Occlusion | 16")
    written = report(data, good, bad)
    out = tmp_path / "out"
    assert json.loads((out / "localisation.json").read_text()) == written
    text = (out / "report.md").read_text()
    assert "5 injured images with 5 boxes and 6 normal images of 11 patients." in text
    assert "Grad-CAM, small, against Occlusion \\| 16, small: above in " in text
    assert "### Grad-CAM, small\n\nNone." in text
    page = (out / "report.html").read_text()
    failures = sorted(path.name for path in (out / "figures").glob("failure_*"))
    assert failures
    assert all(name.startswith("failure_1_") for name in failures)
    assert page.count("data:image/png;base64") == len(failures) + 1
    with (out / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 5
    for label in written["sets"]:
        mean = np.mean([float(row["energy"]) for row in rows if row["maps"] == label])
        assert mean == pytest.approx(values_of(written, label)["energy"], abs=1e-6)
    report(data, good)
    assert not list((out / "figures").glob("failure_*"))


def test_difference_that_is_the_same_in_every_draw_has_no_interval_and_says_so():
    def difference(measure: str, value: float, low: float, high: float, reason: str = "") -> Any:
        return PairedDifference("A", "B", measure, Estimate(value, low, high, reason))

    nan = math.nan
    rows = [
        difference("pointing", 1.0, nan, nan, "the same in every bootstrap draw"),
        difference("energy", 0.0, nan, nan, "the same in every bootstrap draw"),
        difference("iou", 0.2, 0.1, 0.3),
        difference("froc_mean", -0.2, -0.3, -0.1),
        difference("froc_area", 0.1, -0.1, 0.3),
    ]
    (sentence,) = verdicts(rows)
    assert sentence == (
        "A, against B: above in IoU at equal area; below in mean FROC sensitivity; no difference "
        "shown in 2 of 5 measures; no interval in pointing game."
    )


def test_order_of_the_maps_on_a_card_does_not_matter(tmp_path, data):
    rows = [row for row in data.rows if row.split == "test"]
    good = write_set(tmp_path / "good", data, noise)
    back = rows[::-1]
    maps = [noise(row).astype(np.float32) for row in back]
    write_maps(tmp_path / "back", card_of(back, (32, 32), method="Same"), maps)
    written = judge(data, good, tmp_path / "back")
    assert values_of(written, "Grad-CAM, small") == values_of(written, "Same, small")
    same = [row for row in written["differences"] if row["second"] == "Same, small"]
    assert {row["value"] for row in same} == {0.0}


def test_result_does_not_depend_on_the_size_of_the_map(tmp_path, data):
    def large(row: ManifestRow) -> np.ndarray:
        return np.kron(perfect(data)(row), np.ones((3, 3)))

    good = write_set(tmp_path / "good", data, perfect(data))
    written = judge(data, good, write_set(tmp_path / "large", data, large, method="Large"))
    assert values_of(written, "Grad-CAM, small") == values_of(written, "Large, small")


def test_centre_prior_is_the_mean_of_the_training_masks_in_the_stretched_image(data):
    def case(image: str, label: int, *boxes: Region) -> Any:
        row = replace(data.rows[0], image_id=image, label=label, height=100, width=50)
        return case_of(row, boxes)

    prior = fit_centre_prior(
        [
            case("a", 1, Region("fracture", 0.0, 0.0, 25.0, 50.0)),
            case("b", 1, Region("fracture", 0.0, 0.0, 12.5, 25.0), METAL),
            case("c", 1),
            case("d", 0),
        ],
        side=2,
    )
    # The first covers the upper left quarter, the second a quarter of that quarter.
    assert prior.values.tolist() == [[0.625, 0], [0, 0]]
    assert (prior.images, prior.boxes) == (2, 2)


def test_boxes_of_judged_images_do_not_change_the_prior(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    before = values_of(judge(data, good), "centre prior")
    rows = {row.image_id: row for row in data.rows}
    regions = read_regions(data.directory, data.rows)
    corner = {
        image: [Region("fracture", 0.0, 0.0, 4.0, 4.0)] if rows[image].split == "test" else found
        for image, found in regions.items()
    }
    write_regions(
        data.directory / REGIONS_FILE,
        [(rows[image], found) for image, found in corner.items()],
        data.directory,
    )
    after = values_of(judge(data, good), "centre prior")
    assert before["energy"] > 0.05
    assert after["energy"] < 0.01  # the training boxes begin at pixel 4


def test_images_that_cannot_count_are_left_out_and_counted(tmp_path, data):
    rows = {row.image_id: row for row in data.rows}
    regions = read_regions(data.directory, data.rows)
    regions.pop("test_01")
    regions["test_03"] = [Region("metal", 1.0, 1.0, 9.0, 9.0)]
    regions["test_00"] = [Region("fracture", 1.0, 1.0, 9.0, 9.0)]
    regions["test_02"] = [Region("healed_fracture", 1.0, 1.0, 9.0, 9.0)]
    write_regions(
        data.directory / REGIONS_FILE,
        [(rows[image], found) for image, found in regions.items()],
        data.directory,
    )
    written = report(data, write_set(tmp_path / "good", data, noise))
    counts = {name: written[name] for name in ("located", "normal", "unlocated", "contradictory")}
    assert counts == {"located": 3, "normal": 5, "unlocated": 2, "contradictory": 1}
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Left out: 2 injured images without a box" in text
    assert "Left out: 1 images that are labelled normal and have a box." in text


def test_false_marks_are_per_image_with_normal_ones(tmp_path, data):
    # One mark on every image: in the box of an injured one, lower on a normal one.
    def map_of(row: ManifestRow) -> np.ndarray:
        return perfect(data)(row) * 2 if row.label else np.eye(32)[[7] * 32] / 32

    def reversed_order(row: ManifestRow) -> np.ndarray:
        return perfect(data)(row) * 2 if row.label else 4 * np.eye(32)[[7] * 32]

    write_set(tmp_path / "low", data, map_of)
    write_set(tmp_path / "high", data, reversed_order, method="High")
    written = judge(data, tmp_path / "low", tmp_path / "high")
    assert values_of(written, "Grad-CAM, small")["froc_0.125"] == 1
    high = values_of(written, "High, small")
    # A plateau of a column is one mark: six false marks on eleven images come first.
    assert (high["froc_0.5"], high["froc_1"]) == (0, 1)
    assert high["froc_mean"] == pytest.approx(4 / 7)
    assert high["froc_area"] == pytest.approx(1 - 6 / 11 / 8)


def test_maps_without_contrast_and_maps_with_equal_maxima_are_named(tmp_path, data):
    good = write_set(tmp_path / "good", data, perfect(data))
    written = report(data, good)
    assert written["sets"]["Grad-CAM, small"]["maps_without_contrast"] == 6
    assert written["sets"]["Grad-CAM, small"]["maps_with_equal_maxima"]
    assert not written["sets"]["centre prior"]["maps_with_equal_maxima"]
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Grad-CAM, small: 6 maps have no contrast" in text
    assert "Grad-CAM, small: all maps have the same maximum." in text


def test_images_without_patient_count_as_patients_and_two_of_one_as_one(tmp_path, data):
    def change(rows: list[ManifestRow]) -> list[ManifestRow]:
        of_one = ("test_01", "test_02")
        return [replace(row, patient_id="one") if row.image_id in of_one else row for row in rows]

    edit_manifest(data.directory, change)
    assert judge(data, write_set(tmp_path / "good", data, noise))["patients"] == 10


def test_maps_are_read_one_at_a_time(tmp_path, data, monkeypatch):
    alive: list[weakref.ref] = []
    most = 0
    read = HeatMaps.__getitem__

    def counted(maps: HeatMaps, position: int) -> np.ndarray:
        nonlocal most
        values = read(maps, position)
        alive.append(weakref.ref(values))
        most = max(most, sum(ref() is not None for ref in alive))
        return values

    maps = open_maps(write_set(tmp_path / "good", data, noise))
    monkeypatch.setattr(HeatMaps, "__getitem__", counted)
    regions = read_regions(data.directory, data.rows)
    rows = [row for row in data.rows if row.split == "test"]
    judge_maps(maps, [case_of(row, regions.get(row.image_id, [])) for row in rows])
    assert len(alive) == 11
    assert most <= 2  # the one before lives until the next is bound


def test_overlay_shows_box_maximum_and_map_in_the_image_s_aspect_ratio(data):
    row = replace(data.rows[0], label=1, height=100, width=50)
    case = case_of(row, [Region("fracture", 10.0, 20.0, 20.0, 20.0)])
    values = np.zeros((10, 10), np.float32)
    values[8, 8] = 5
    picture = overlay(np.full((32, 32), 100, np.uint8), values, (0.0, 0.0, 50.0, 100.0), case)
    assert picture.shape == (288, 144, 3)
    scale = 2.88
    assert picture[round(20 * scale), round(20 * scale)].tolist() == [255, 255, 255]
    assert picture[round(85 * scale) - 1, round(42.5 * scale) - 1].min() > 200  # the cross
    assert picture[5, 140].tolist() == [100, 100, 100]
    near = picture[round(85 * scale) + 10, round(42.5 * scale)].astype(int)
    assert near[2] > near[0]  # warm


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


def test_command_writes_the_report_and_refuses_in_one_line(tmp_path, data, capsys):
    good = write_set(tmp_path / "good", data, noise)
    options = ["--data", str(data.directory), "--out", str(tmp_path / "out"), "--draws", "100"]
    assert status_of(__main__, str(good), *options, "--title", "Ours") == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "out" / name)
        for name in ("images.csv", "localisation.json", "report.html", "report.md")
    ]
    assert (tmp_path / "out" / "report.md").read_text().startswith("# Ours\n")
    assert "maps.json: cannot be read" in refusal_of(capsys, __main__, str(tmp_path), *options)
    for option, value in (("--draws", "99"), ("--seed", "-1")):
        assert status_of(__main__, str(good), *options, option, value) == 2
        assert option in capsys.readouterr().err


def test_equal_commands_give_equal_bytes(tmp_path, data):
    good = write_set(tmp_path / "good", data, noise)
    for out in ("one", "two"):
        report(data, good, out=out)
    files = [
        {path.name: path.read_bytes() for path in (tmp_path / out).rglob("*") if path.is_file()}
        for out in ("one", "two")
    ]
    assert files[0] == files[1]


def test_boxes_of_an_image_beyond_its_edge_are_no_boxes():
    beyond = [Region("fracture", 32.0, 3.0, 1.0, 4.0)]
    assert not len(boxes_of(beyond, ("fracture",), 32, 32))
    assert math.isclose(boxes_of(beyond, ("fracture",), 32, 33)[0, 2], 33)
