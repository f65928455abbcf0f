"""From sets of maps and prepared data to the measures of a report."""

import weakref

import numpy as np
import pytest

from elbow_core.dataset import ManifestRow, read_regions
from elbow_core.evaluation.heat_maps import HeatMaps, open_maps, write_maps
from elbow_core.evaluation.localisation.cases import case_of
from elbow_core.evaluation.localisation.judging import judge_maps
from tests.support.heat_maps import card_of, write_set
from tests.support.localisation import judge, noise, perfect, values_of


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
