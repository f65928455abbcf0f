import csv
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from elbow_core import cli
from elbow_core.evaluation import read_predictions
from elbow_core.prepare import __main__ as prepare
from elbow_jax import evaluate, predict, train

SIZE = 32


def write_images(folder: Path) -> None:
    """Write 60 PNGs, in a sub-folder for each class."""
    rng = np.random.default_rng(0)
    for number in range(60):
        label = ("normal", "injury")[number % 2]
        image = rng.integers(0, 120, (50, 40), dtype=np.uint8)
        image[10:30, 10:30] += np.uint8(100 * (number % 2))
        (folder / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / label / f"p{number:02d}.png"), image)


def run(module, *arguments: str) -> int:
    """Run a command as the shell does; return its exit status."""
    original_argv, sys.argv = sys.argv, ["command", *arguments]
    try:
        with pytest.raises(SystemExit) as exit_info:
            cli.run(module.main)
    finally:
        sys.argv = original_argv
    assert isinstance(exit_info.value.code, int)
    return exit_info.value.code


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder of images, prepared, trained on and evaluated by the project's commands."""
    folder = tmp_path_factory.mktemp("chain")
    write_images(folder / "images")
    data = {
        "source": {"kind": "folder", "classes": {"normal": 0, "injury": 1}},
        "root": str(folder / "images"),
        "out": str(folder / "data"),
        "preprocess": {"size": SIZE, "sigma": 1.5},
        "split": {"method": "fractions", "train": 0.6, "validation": 0.2, "test": 0.2},
        "workers": 0,
    }
    config = {
        "run": str(folder / "run"),
        "data": {"prepared": str(folder / "data"), "copies": 1},
        "model": {"backbone": "mobilenetv3_large", "variant": "small"},
        "optimizer": {"learning_rate": 0.05, "momentum": 0.8, "warm_restarts": {"t_0": 2}},
        "batch_size": 8,
        "epochs": 2,
    }
    (folder / "data.yaml").write_text(yaml.safe_dump(data))
    (folder / "train.yaml").write_text(yaml.safe_dump(config))
    assert run(prepare, "--config", str(folder / "data.yaml")) == 0
    assert run(train, "--config", str(folder / "train.yaml")) == 0
    assert run(evaluate, "--run", str(folder / "run"), "--batch-size", "8") == 0
    return folder


def test_evaluation_covers_the_test_split_once(folder):
    predictions = read_predictions(folder / "run/predictions_test.csv")
    with (folder / "data/manifest.csv").open() as file:
        expected = [row["image_id"] for row in csv.DictReader(file) if row["split"] == "test"]
    assert list(predictions.image_id) == expected
    assert predictions.model == "run"
    np.testing.assert_array_equal(predictions.prediction, predictions.score >= 0.5)


def test_report_holds_the_metrics_of_the_predictions(folder):
    predictions = read_predictions(folder / "run/predictions_test.csv")
    content = json.loads((folder / "run/report_test/metrics.json").read_text())
    accuracy = np.mean(predictions.prediction == predictions.label)
    assert content["models"]["run"]["accuracy"] == pytest.approx(accuracy)
    assert (folder / "run/report_test/report.md").stat().st_size > 0


def test_prediction_of_files_equals_evaluation_of_the_archive(folder, tmp_path):
    predictions = read_predictions(folder / "run/predictions_test.csv")
    with (folder / "data/manifest.csv").open() as file:
        path_of = {row["image_id"]: row["path"] for row in csv.DictReader(file)}
    images = [str(folder / "images" / path_of[name]) for name in predictions.image_id]
    out = tmp_path / "scores.csv"
    model = str(folder / "run/model")
    status = run(predict, "--model", model, *images, "--out", str(out), "--batch-size", "8")
    assert status == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == images
    np.testing.assert_allclose([float(row["score"]) for row in rows], predictions.score, atol=1e-6)


def test_scores_do_not_depend_on_the_batch_size(folder, capsys):
    tables = []
    for batch_size in ("8", "3"):
        arguments = ["--model", str(folder / "run/model"), "--batch-size", batch_size]
        assert run(predict, *arguments, str(folder / "images/normal")) == 0
        rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
        tables.append([float(row["score"]) for row in rows])
    assert len(tables[0]) == 30
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-5)


def test_unreadable_file_is_named_and_all_others_are_scored(folder, tmp_path, capsys):
    shutil.copy(folder / "images/normal/p00.png", tmp_path / "a.png")
    (tmp_path / "b.png").write_text("not an image")
    status = run(predict, "--model", str(folder / "run/model"), str(tmp_path))
    printed = capsys.readouterr()
    assert status == 2
    assert "b.png" in printed.err
    assert len(printed.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{run}/nowhere", "{images}"], "no released model here"),
        (["--model", "{run}/model", "{run}/nowhere.png"], "no such file or folder"),
        (["--model", "{run}/model", "{run}/model"], "holds no file that ends in"),
        (["--model", "{run}/model", "{images}", "--threshold", "best"], "'best' is not one of"),
        (["--model", "{run}/model", "{images}", "--batch-size", "0"], "not at least 1"),
    ],
)
def test_wrong_use_of_predict_is_one_line(folder, capsys, arguments, message):
    folders = {"run": folder / "run", "images": folder / "images"}
    assert run(predict, *(argument.format(**folders) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert message in error


def damage_weights(model: Path) -> None:
    content = bytearray((model / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (model / "weights.safetensors").write_bytes(content)


def damage_card(model: Path) -> None:
    (model / "model.json").write_text("{")


def set_newer_schema(model: Path) -> None:
    card = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps(card | {"schema_version": 99}))


def remove_weights(model: Path) -> None:
    (model / "weights.safetensors").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_weights, "SHA-256 differs"),
        (damage_card, "is damaged"),
        (set_newer_schema, "schema version 99 is newer"),
        (remove_weights, "is damaged"),
    ],
)
def test_damaged_model_is_refused(folder, tmp_path, capsys, damage, message):
    model = tmp_path / "model"
    shutil.copytree(folder / "run/model", model)
    damage(model)
    assert run(predict, "--model", str(model), str(folder / "images")) == 2
    assert message in capsys.readouterr().err


def test_evaluating_on_data_of_other_settings_is_refused(folder, tmp_path, capsys):
    shutil.copytree(folder / "run", tmp_path / "run")
    data = yaml.safe_load((folder / "data.yaml").read_text())
    data |= {"out": str(tmp_path / "data"), "preprocess": {"size": SIZE, "sigma": 2.0}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    assert run(prepare, "--config", str(tmp_path / "data.yaml")) == 0
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    config["data"]["prepared"] = str(tmp_path / "data")
    (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(config))
    capsys.readouterr()
    assert run(evaluate, "--run", str(tmp_path / "run")) == 2
    assert "the model needs" in capsys.readouterr().err


def test_evaluating_a_folder_that_is_not_a_run_is_refused(tmp_path, capsys):
    assert run(evaluate, "--run", str(tmp_path)) == 2
    assert "is not a run" in capsys.readouterr().err
