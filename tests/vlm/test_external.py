"""`python -m vlm_torch.predict --model`: an adapter on data that are not its own."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from elbow_core.evaluation import Predictions, read_predictions, write_predictions
from elbow_core.evaluation.statistics import choose_thresholds
from tests.support.commands import error_of, status_of
from tests.support.prepare_folders import edit_manifest
from tests.support.small_data import SPLITS, write_prepared
from tests.support.vlm_runs import copy_run
from vlm_torch import merge, predict


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Other images, prepared as the models need them."""
    data = write_prepared(tmp_path_factory.mktemp("elsewhere") / "hospital_b", seed=1)
    edit_manifest(
        data, lambda rows: [replace(row, patient_id=f"b_{row.patient_id}") for row in rows]
    )
    (data / "rejected.csv").write_text("path,reason\n")
    return data


def arguments(model, data, out, *more):
    return ("--model", str(model), "--data", str(data), "--out", str(out), *more)


def own_validation(folder, model: str):
    """A file of simulated scores of a model on its own validation set."""
    labels = np.arange(20) % 2
    names = np.array([f"own_{number}" for number in range(20)])
    score = np.linspace(0.1, 0.4, 20) + 0.05 * labels
    found = Predictions(names, names, names, labels, score, (score > 0.5).astype(np.int64), model)
    write_predictions(folder / "validation.csv", found)
    return folder / "validation.csv", choose_thresholds(labels, score)


def test_every_image_is_judged_at_thresholds_chosen_elsewhere(workspace, elsewhere, tmp_path):
    internal = workspace / "run/predictions_test.csv"
    validation, chosen = own_validation(tmp_path, "run")
    out = tmp_path / "out"
    more = ("--split", "all", "--internal", str(internal), "--validation", str(validation))
    assert status_of(predict, *arguments(workspace / "run/adapter", elsewhere, out, *more)) == 0
    found = read_predictions(out / "predictions.csv")
    assert len(found) == sum(SPLITS.values())
    assert found.model == "run"
    assert found.answer is not None
    assert sorted(path.name for path in out.iterdir()) == ["predictions.csv", "report"]
    content = json.loads((out / "report/metrics.json").read_text())
    external = content["external"]["run"]
    assert (external["images"], external["threshold"]) == (len(found), 0.5)
    points = content["models"]["run"]["operating_points"]
    assert {name: point["threshold"] for name, point in points.items()} == {
        "default": 0.5,
        **chosen,
    }
    assert (out / "report/checklist.md").is_file()

    # The merged checkpoint, away from its run.
    run = copy_run(workspace, tmp_path / "copied")
    assert merge.main(["--run", str(run)]) == 0
    merged = tmp_path / "moved"
    (run / "merged").rename(merged)
    again = tmp_path / "again"
    assert status_of(predict, *arguments(merged, elsewhere, again)) == 0
    test = read_predictions(again / "predictions.csv")
    assert test.model == "moved"
    of_test = np.isin(found.image_id, test.image_id)
    assert of_test.sum() == SPLITS["test"]
    np.testing.assert_allclose(test.score, found.score[of_test], atol=1e-4)


def test_images_and_patients_that_it_learnt_from_are_refused(workspace, tmp_path, capsys):
    adapter = workspace / "run/adapter"
    command = arguments(adapter, workspace / "data", tmp_path / "out", "--split", "all")
    assert f"leak: {adapter} learnt from" in error_of(capsys, predict, *command)
    # Other images of the same patients.
    write_prepared(tmp_path / "same_patients", seed=1)
    command = arguments(adapter, tmp_path / "same_patients", tmp_path / "out", "--split", "all")
    assert "(patient patient_train_00 in train)" in error_of(capsys, predict, *command)
    assert not (tmp_path / "out").exists()


def test_own_predictions_of_another_model_or_of_these_images_are_refused_before_the_work(
    workspace, elsewhere, tmp_path, capsys
):
    adapter, out = workspace / "run/adapter", tmp_path / "out"
    validation, _ = own_validation(tmp_path, "other")
    internal = workspace / "run/predictions_test.csv"
    more = ("--internal", str(internal), "--validation", str(validation))
    line = error_of(capsys, predict, *arguments(adapter, elsewhere, out, *more))
    assert f"validation.csv: is of the model 'other', and {internal} of 'run'" in line
    shared = own_validation(tmp_path, "run")[0]
    shared.write_text(shared.read_text().replace("own_3,", "test_03,", 1))
    more = ("--validation", str(shared))
    line = error_of(capsys, predict, *arguments(adapter, elsewhere, out, *more))
    assert "image 'test_03' is in the test set too" in line
    assert not out.exists()


def test_data_prepared_otherwise_are_refused_with_the_options_that_mend_it(
    workspace, tmp_path, capsys
):
    data = write_prepared(tmp_path / "larger", size=48, seed=1)
    line = error_of(capsys, predict, *arguments(workspace / "run/adapter", data, tmp_path / "out"))
    assert "prepare it into another folder with its configuration and --preprocess.size 32" in line


def test_adapter_away_from_its_run_needs_its_base_model(workspace, elsewhere, tmp_path, capsys):
    adapter = tmp_path / "carried"
    shutil.copytree(workspace / "run/adapter", adapter)
    command = arguments(adapter, elsewhere, tmp_path / "out")
    assert "give its folder with --base" in error_of(capsys, predict, *command)
    (base,) = workspace.glob("tiny_*_base_*")
    assert status_of(predict, *command, "--base", str(base)) == 0
    assert read_predictions(tmp_path / "out/predictions.csv").model == "carried"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--model", "m", "--data", "d"], "--model: give --data and --out too"),
        (["--model", "m", "--data", "d", "--out", "o", "--merged"], "--merged: is for --run"),
        (["--run", "r", "--out", "o"], "are for --model; a run has its own places"),
        (["--run", "r", "--split", "all"], "--split all: is for --model"),
        ([], "one of the arguments --run --model is required"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(capsys, given, words):
    assert status_of(predict, *given) == 2
    assert words in capsys.readouterr().err


def test_folder_without_a_card_is_refused(tmp_path, capsys):
    line = error_of(capsys, predict, *arguments(tmp_path, tmp_path, tmp_path / "out"))
    assert "holds no card.json; give the folder adapter or merged" in line
