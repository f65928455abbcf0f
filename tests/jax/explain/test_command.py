"""The command explain: a run's split, or a model and files, to maps, scores and pictures."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.dataset import open_prepared
from elbow_core.evaluation import read_predictions
from elbow_core.evaluation.heat_maps import open_maps
from elbow_core.evaluation.report import __main__ as report
from elbow_jax.explain import METHODS
from elbow_jax.explain import __main__ as explain
from tests.support.commands import refusal_of, status_of


@pytest.fixture(scope="module")
def explained(workspace, tmp_path_factory) -> Path:
    """The test split of a finished run by all methods; read-only."""
    out = tmp_path_factory.mktemp("explained") / "out"
    arguments = ["--run", str(workspace / "run"), "--root", str(workspace / "images")]
    arguments += ["--method", *METHODS, "--out", str(out), "--batch-size", "8", "--steps", "512"]
    assert status_of(explain, *arguments) == 0
    return out


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "images.csv").open() as file:
        return list(csv.DictReader(file))


def test_maps_of_a_split_have_its_images_their_sizes_and_the_scores_of_evaluate(
    workspace, explained
):
    predictions = read_predictions(workspace / "run/predictions_test.csv")
    rows = rows_of(explained)
    assert [row["image_id"] for row in rows] == predictions.image_id.tolist()
    np.testing.assert_allclose([float(row["score"]) for row in rows], predictions.score, atol=1e-5)
    data = open_prepared(workspace / "data")
    known = {row.image_id: row for row in data.rows}
    for method in METHODS:
        maps = open_maps(explained / method)
        card = maps.card
        assert (card.height, card.width) == (data.archive.size, data.archive.size)
        assert (card.network, card.weights) == ("run", "trained")
        assert [image.image_id for image in card.images] == predictions.image_id.tolist()
        for image in card.images:
            row = known[image.image_id]
            assert (image.height, image.width) == (row.height, row.width) == (50, 40)
            assert image.area == (0.0, 0.0, 40.0, 50.0)
        assert max(float(values.max()) for values in maps) > 0
    names = {path.name for path in explained.iterdir() if path.is_dir()}
    assert names == {*METHODS, "pictures"}


def test_integrated_gradients_of_the_run_are_complete(explained):
    for row in rows_of(explained):
        difference = float(row["difference"])
        assert abs(float(row["attributed"]) - difference) <= 0.01 * max(abs(difference), 0.1)


def test_a_sheet_shows_the_radiograph_each_map_and_the_gates(workspace, explained):
    sheets = sorted((explained / "pictures").iterdir())
    rows = rows_of(explained)
    assert [sheet.name for sheet in sheets] == [f"{number:05d}.png" for number in range(len(rows))]
    sheet = cv2.imread(str(sheets[0]))
    assert sheet is not None
    gates, tile = (
        1,
        (384 + 22 + 6, 307 + 6),
    )  # MobileNetV3 has one CBAM; 50 x 40 pixels as 384 x 307
    assert sheet.shape == (tile[0], tile[1] * (1 + len(METHODS) + gates), 3)
    path = {row.image_id: row.path for row in open_prepared(workspace / "data").rows}
    original = cv2.imread(
        str(workspace / "images" / path[rows[0]["image_id"]]), cv2.IMREAD_GRAYSCALE
    )
    assert original is not None
    shown = sheet[22 : 22 + 384, :307, 0]
    np.testing.assert_array_equal(shown, cv2.resize(original, (307, 384)))


def test_files_give_the_maps_of_the_archive_and_unreadable_ones_are_named(
    workspace, explained, tmp_path, capsys
):
    maps = open_maps(explained / "grad_cam")
    paths = {row.image_id: row.path for row in open_prepared(workspace / "data").rows}
    files = [str(workspace / "images" / paths[image.image_id]) for image in maps.card.images[:3]]
    (tmp_path / "broken.png").write_text("not an image")
    model, out = str(workspace / "run/model"), tmp_path / "out"
    arguments = ["--model", model, files[0], str(tmp_path / "broken.png"), *files[1:]]
    status = status_of(explain, *arguments, "--out", str(out), "--batch-size", "2")
    assert status == 2
    assert "broken.png" in capsys.readouterr().err
    found = open_maps(out / "grad_cam")
    assert [image.image_id for image in found.card.images] == files
    assert [row["image_id"] for row in rows_of(out)] == files
    for place in range(3):
        scale = float(maps[place].max())
        np.testing.assert_allclose(found[place], maps[place], atol=1e-4 * max(scale, 1e-3))
        assert found.card.images[place].area == maps.card.images[place].area
    # An earlier explanation is replaced, anything else is not.
    random = ["--random-weights", "1", "--no-pictures"]
    arguments = ["--model", model, *files, "--out", str(out), "--batch-size", "2", *random]
    assert status_of(explain, *arguments) == 0
    baseline = open_maps(out / "grad_cam")
    assert baseline.card.weights == "random"
    assert (baseline.card.method, baseline.card.network) == (maps.card.method, "run")
    assert not np.allclose(baseline[0], maps[0])
    assert not (out / "pictures").exists()
    (out / "thesis.tex").write_text("mine")
    line = refusal_of(capsys, explain, *arguments)
    assert "holds other files, such as thesis.tex" in line


def test_maps_of_a_run_are_those_of_its_report(workspace, explained, tmp_path):
    table = str(workspace / "run/predictions_test.csv")
    options = ["--archive", str(workspace / "data"), "--maps", str(explained / "grad_cam")]
    assert status_of(report, table, "--out", str(tmp_path / "r"), "--draws", "100", *options) == 0
    assert (
        "Grad-CAM, last feature map, run: a random sample" in (tmp_path / "r/report.md").read_text()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{run}/nowhere", "{images}"], "no released model here"),
        (["--model", "{run}/model", "{images}/none.png"], "no such file or folder"),
        (["--model", "{run}/model", "{image}", "{image}"], "is given twice"),
        (["--model", "{run}/model", "{images}", "--batch-size", "0"], "not at least 1"),
        (["--model", "{run}/model", "{images}", "--random-weights=-1"], "is no seed"),
        (["--model", "{run}/model", "--data", "{run}"], "index.json"),
        (["--model", "{run}/model", "{images}", "--steps", "0"], "is not from 1 to"),
        (["--run", "{run}/nowhere"], "nowhere"),
        (["--run", "{run}", "--root", "{run}"], "--root the folder that the data were prepared"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(workspace, tmp_path, capsys, arguments, message):
    places = {
        "run": workspace / "run",
        "images": workspace / "images",
        "image": workspace / "images/normal/p00.png",
    }
    given = [argument.format(**places) for argument in arguments]
    capsys.readouterr()
    assert status_of(explain, *given, "--out", str(tmp_path / "out")) == 2
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1]
    assert lines[-1].startswith("error: ")
    assert list(tmp_path.iterdir()) == []


def test_changed_original_is_refused(workspace, tmp_path, capsys):
    shutil.copytree(workspace / "images", tmp_path / "images")
    for path in (tmp_path / "images").rglob("*.png"):
        cv2.imwrite(str(path), np.zeros((50, 40), np.uint8))
    arguments = ["--run", str(workspace / "run"), "--root", str(tmp_path / "images")]
    assert status_of(explain, *arguments, "--out", str(tmp_path / "out")) == 2
    assert "is not the file that was prepared" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_record_names_what_was_explained(explained):
    record = json.loads((explained / "explanations.json").read_text())
    assert record["kind"] == "explanations"
    assert record["methods"] == list(METHODS)
    assert record["sets"] == list(METHODS)
    assert record["images"] == len(rows_of(explained))
