"""`python -m elbow_jax.evaluate --model`: a released model on data that are not its own."""

import json

import pytest

from elbow_core.dataset import open_archive
from elbow_core.evaluation import read_predictions
from elbow_jax import evaluate
from tests.support.commands import error_of, status_of
from tests.support.small_data import SPLITS, write_prepared


@pytest.fixture(scope="module")
def elsewhere(workspace, tmp_path_factory):
    """Other images, prepared as the model of the workspace needs them."""
    settings = dict(open_archive(workspace / "data").settings)
    data = write_prepared(tmp_path_factory.mktemp("elsewhere") / "hospital_b", settings=settings)
    (data / "rejected.csv").write_text("path,reason\n")
    return data


def arguments(workspace, data, out, *more):
    model = str(workspace / "run/model")
    return ("--model", model, "--data", str(data), "--out", str(out), "--batch-size", "8", *more)


def test_every_image_is_judged_at_the_models_own_threshold(workspace, elsewhere, tmp_path, capsys):
    internal = workspace / "run/predictions_test.csv"
    more = ("--split", "all", "--internal", str(internal))
    assert status_of(evaluate, *arguments(workspace, elsewhere, tmp_path / "out", *more)) == 0
    found = read_predictions(tmp_path / "out/predictions.csv")
    assert len(found) == sum(SPLITS.values())
    assert found.model == "run"
    content = json.loads((tmp_path / "out/report/metrics.json").read_text())
    external = content["external"]["run"]
    assert external["images"] == len(found)
    assert external["threshold"] == 0.5
    own = json.loads((workspace / "run/report_test/metrics.json").read_text())["models"]["run"]
    assert external["internal"]["auroc"] == pytest.approx(own["auroc"])
    assert external["external"]["auroc"] == pytest.approx(content["models"]["run"]["auroc"])
    text = (tmp_path / "out/report/report.md").read_text()
    assert "## Internal and external" in text
    assert "what recalibration would give" in text
    assert {row["role"] for row in content["inputs"]} == {"predictions", "internal test set"}
    printed = capsys.readouterr().out
    assert f"predictions: {tmp_path}/out/predictions.csv" in printed


def test_by_default_the_test_split_is_judged(workspace, elsewhere, tmp_path):
    assert status_of(evaluate, *arguments(workspace, elsewhere, tmp_path / "out")) == 0
    assert len(read_predictions(tmp_path / "out/predictions.csv")) == SPLITS["test"]
    content = json.loads((tmp_path / "out/report/metrics.json").read_text())
    assert content["external"] == {}


def test_images_that_the_model_learnt_from_are_refused(workspace, tmp_path, capsys):
    command = arguments(workspace, workspace / "data", tmp_path / "out", "--split", "all")
    line = error_of(capsys, evaluate, *command)
    assert "leak" in line
    assert not (tmp_path / "out").exists()


def test_data_of_other_preprocessing_are_refused_with_the_options_that_mend_it(
    workspace, tmp_path, capsys
):
    write_prepared(tmp_path / "other")
    line = error_of(capsys, evaluate, *arguments(workspace, tmp_path / "other", tmp_path / "out"))
    assert "--preprocess.sigma 1.5" in line
    assert "--preprocess.size" not in line


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--model", "m", "--data", "d"], "--model: give --data and --out too"),
        (["--run", "r", "--out", "o"], "--out, --internal and --validation: are for --model"),
        (["--run", "r", "--split", "all"], "--split all: is for --model"),
        (["--run", "r", "--model", "m"], "not allowed with"),
        ([], "one of the arguments --run --model is required"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(capsys, given, words):
    assert status_of(evaluate, *given) == 2
    assert words in capsys.readouterr().err
