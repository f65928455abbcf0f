"""The files of a report: they agree, and equal commands write equal bytes."""

import csv
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from elbow_core.dataset import (
    Region,
)
from elbow_core.evaluation.localisation import (
    __main__,
)
from elbow_core.evaluation.localisation.cases import case_of
from elbow_core.evaluation.localisation.content import Estimate, PairedDifference
from elbow_core.evaluation.localisation.figures import overlay
from elbow_core.evaluation.localisation.sections import verdicts
from tests.support.commands import refusal_of, status_of
from tests.support.heat_maps import write_set
from tests.support.localisation import noise, perfect, report, values_of


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
    assert page.count("data:image/png;base64") == len(failures)
    assert (out / "figures/froc.svg").is_file()
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
