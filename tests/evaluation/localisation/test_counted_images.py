"""Which images, boxes and patients count."""

import math
from dataclasses import replace

from elbow_core.dataset import REGIONS_FILE, ManifestRow, Region, read_regions, write_regions
from elbow_core.evaluation.localisation.boxes import boxes_of
from tests.support.heat_maps import write_set
from tests.support.localisation import judge, noise, perfect, report
from tests.support.prepare_folders import edit_manifest


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


def test_boxes_of_an_image_beyond_its_edge_are_no_boxes():
    beyond = [Region("fracture", 32.0, 3.0, 1.0, 4.0)]
    assert not len(boxes_of(beyond, ("fracture",), 32, 32))
    assert math.isclose(boxes_of(beyond, ("fracture",), 32, 33)[0, 2], 33)
