"""The command evaluate: a run and a split to predictions and a report."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from elbow_core.evaluation import read_predictions
from elbow_core.evaluation.statistics.abstention import LEFT
from elbow_core.prepare import __main__ as prepare
from elbow_jax import evaluate, scoring
from tests.support.abstention_data import record
from tests.support.commands import status_of
from tests.support.planted_words import places_with, words_of_this_machine


def test_evaluation_covers_the_test_split_once(workspace):
    predictions = read_predictions(workspace / "run/predictions_test.csv")
    with (workspace / "data/manifest.csv").open() as file:
        expected = [row["image_id"] for row in csv.DictReader(file) if row["split"] == "test"]
    assert list(predictions.image_id) == expected
    assert predictions.model == "run"
    np.testing.assert_array_equal(predictions.prediction, predictions.score >= 0.5)


def test_report_holds_the_metrics_of_the_predictions(workspace):
    predictions = read_predictions(workspace / "run/predictions_test.csv")
    content = json.loads((workspace / "run/report_test/metrics.json").read_text())
    accuracy = np.mean(predictions.prediction == predictions.label)
    assert content["models"]["run"]["accuracy"] == pytest.approx(accuracy)
    assert (workspace / "run/report_test/report.md").stat().st_size > 0


def test_outputs_of_an_evaluation_are_checked_before_the_scoring(
    workspace, tmp_path, monkeypatch, capsys
):
    shutil.copytree(workspace / "run", tmp_path / "run")
    (tmp_path / "run/report_test/thesis.tex").write_text("mine")
    monkeypatch.setattr(scoring, "predict_split", None)
    arguments = ["--run", str(tmp_path / "run")]
    assert status_of(evaluate, *arguments) == 2
    assert "holds other files, such as thesis.tex" in capsys.readouterr().err
    (tmp_path / "run/report_test/thesis.tex").unlink()
    (tmp_path / "run/predictions_test.csv").write_text("mine")
    assert status_of(evaluate, *arguments) == 2
    assert "predictions_test.csv: exists and was not written" in capsys.readouterr().err


def test_report_of_the_test_set_alone_has_the_shares_of_frozen_thresholds(workspace, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(workspace / "run", run)
    scores = read_predictions(run / "predictions_test.csv").score
    found = record(float(np.quantile(scores, 0.3)), float(np.quantile(scores, 0.8)), "run")
    scoring.freeze_abstention(run / "model", found)
    for split in ("test", "validation"):
        arguments = ("--run", str(run), "--data", str(workspace / "data"), "--split", split)
        assert status_of(evaluate, *arguments, "--batch-size", "8") == 0
        content = json.loads((run / f"report_{split}/metrics.json").read_text())["models"]["run"]
        # On validation, where such thresholds are chosen, a share is no test of the promise.
        assert ("abstention" in content) is (split == "test")
        if split == "test":
            left = int(np.count_nonzero(found.answers(scores) == LEFT))
            assert 0 < content["abstention"]["left"]["images"] == left < len(scores)


def test_evaluation_from_another_directory_and_of_moved_data(
    workspace, tmp_path, monkeypatch, capsys
):
    shutil.copytree(workspace / "run", tmp_path / "run")
    shutil.copytree(workspace / "data", tmp_path / "moved")
    places = json.loads((tmp_path / "run/local.json").read_text())
    assert places["starts"][0]["data"] == str(workspace / "data")
    config = (tmp_path / "run/config.yaml").read_text()
    text = config.replace(str(workspace / "data"), "data")
    assert text != config
    # As of a run that was begun in `workspace` with data: data.
    (tmp_path / "run/config.yaml").write_text(text)
    places["starts"][0]["working_directory"] = str(workspace)
    (tmp_path / "run/local.json").write_text(json.dumps(places))
    monkeypatch.chdir(tmp_path)
    arguments = ["--run", "run", "--batch-size", "8"]
    assert status_of(evaluate, *arguments) == 0
    table = Path("run/predictions_test.csv").read_bytes()
    assert table == (workspace / "run/predictions_test.csv").read_bytes()

    places["starts"][0]["working_directory"] = str(tmp_path / "gone")
    Path("run/local.json").write_text(json.dumps(places))
    capsys.readouterr()
    assert status_of(evaluate, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path}/gone/data: the data of run are not there; give" in line
    Path("run/predictions_test.csv").unlink()
    assert status_of(evaluate, *arguments, "--data", "moved") == 0
    assert Path("run/predictions_test.csv").read_bytes() == table

    manifest = Path("moved/manifest.csv").read_text()
    Path("moved/manifest.csv").write_text(manifest.replace(",train,", ",test,", 1))
    capsys.readouterr()
    assert status_of(evaluate, *arguments, "--data", "moved") == 2
    assert "moved: is not the data that run began with" in capsys.readouterr().err


def test_shared_outputs_hold_nothing_of_the_machine(workspace):
    shared = ("model", "report_test", "predictions_test.csv", "metrics.jsonl", "run.json")
    words = words_of_this_machine(workspace)
    assert places_with(words, [workspace / "run" / name for name in shared]) == []
    assert places_with(words, [workspace / "run/local.json"])  # they are found where they are


def test_evaluating_on_data_of_other_settings_is_refused(workspace, tmp_path, capsys):
    shutil.copytree(workspace / "run", tmp_path / "run")
    data = yaml.safe_load((workspace / "data.yaml").read_text())
    data["out"] = str(tmp_path / "data")
    data["preprocess"]["sigma"] = 2.0
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(data))
    assert status_of(prepare, "--config", str(tmp_path / "data.yaml")) == 0
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    config["data"]["prepared"] = str(tmp_path / "data")
    (tmp_path / "run/config.yaml").write_text(yaml.safe_dump(config))
    capsys.readouterr()
    assert status_of(evaluate, "--run", str(tmp_path / "run")) == 2
    assert "the model needs" in capsys.readouterr().err


def test_evaluating_a_folder_that_is_not_a_run_is_refused(tmp_path, capsys):
    assert status_of(evaluate, "--run", str(tmp_path)) == 2
    assert "is not a run" in capsys.readouterr().err
