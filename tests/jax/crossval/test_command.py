"""`python -m elbow_jax.crossval`: folds one by one, interrupted, and gathered."""

import csv
import os
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

from elbow_core.dataset import FoldSplit, open_fold
from elbow_core.evaluation import FOLDS_FILE, folds, read_predictions
from elbow_core.evaluation.statistics import choose_thresholds
from elbow_core.files import locked_output
from elbow_jax import evaluate, predict
from elbow_jax.crossval import OUT_OF_FOLD, REPORT, SCORES
from elbow_jax.crossval import __main__ as crossval
from elbow_jax.scoring import read_card
from tests.support.commands import error_of, refusal_of, status_of
from tests.support.training import write_config

FOLDS = 3


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, workspace):
    folder = tmp_path_factory.mktemp("folds")
    shutil.copytree(workspace / "data", folder / "data")
    config = write_config(folder, epochs=1)
    assert status_of(crossval, "--config", str(config), "--folds", str(FOLDS), "--fold", "2") == 0
    assert not (folder / "run" / OUT_OF_FOLD).exists()
    assert status_of(crossval, "--config", str(config), "--folds", str(FOLDS)) == 0
    return folder


def test_every_image_is_scored_once_by_the_network_of_its_fold(finished):
    run = finished / "run"
    scores = {row["image_id"]: row["score"] for row in table(run / OUT_OF_FOLD)}
    tested = 0
    for number in range(1, FOLDS + 1):
        data = open_fold(finished / "data", FoldSplit(number=number, of=FOLDS))
        ids = {data.rows[position].image_id for position in data.positions("test")}
        own = {row["image_id"]: row["score"] for row in table(run / f"fold_{number}" / SCORES)}
        assert own.keys() == ids
        assert all(scores[image] == score for image, score in own.items())
        tested += len(ids)
    assert tested == len(scores) == len(data.rows)
    rows = table(run / FOLDS_FILE)
    assert [row["fold"] for row in rows] == ["1", "2", "3"]
    assert sum(int(row["images"]) for row in rows) == tested
    assert {int(row["train"]) for row in rows} == {len(data.positions("train"))}
    assert (run / REPORT / "report.html").is_file()


@pytest.mark.slow
def test_a_second_call_changes_nothing_and_a_lost_fold_is_made_again(finished, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(finished, folder)
    config = write_config(folder, epochs=1)
    run = folder / "run"
    before = (run / OUT_OF_FOLD).read_bytes()
    shutil.rmtree(run / "fold_3")
    assert status_of(crossval, "--config", str(config), "--folds", str(FOLDS)) == 0
    assert (run / OUT_OF_FOLD).read_bytes() == before


def scores_by(model, images, out):
    """Return the scores that predict gives with a model, in the order of the images."""
    command = ("--model", str(model), *map(str, images), "--out", str(out), "--batch-size", "4")
    assert status_of(predict, *command) == 0
    return np.array([float(row["score"]) for row in table(out)])


def test_ensemble_of_the_folds_predicts_the_mean_of_their_scores(
    finished, workspace, tmp_path, capsys
):
    run = tmp_path / "run"
    shutil.copytree(finished / "run", run)
    reported = {name: (run / name).read_bytes() for name in (OUT_OF_FOLD, FOLDS_FILE)}
    command = ("--config", str(finished / "train.yaml"), "--folds", str(FOLDS), "--run", str(run))
    assert status_of(crossval, *command, "--ensemble") == 0
    printed = capsys.readouterr().out
    assert f"released model: {run / 'model'}, the mean probability of 3 networks" in printed
    # No figure of the report is one of the ensemble.
    assert reported == {name: (run / name).read_bytes() for name in reported}
    judged, card = read_predictions(run / OUT_OF_FOLD), read_card(run / "model")
    chosen = choose_thresholds(judged.label, judged.score)
    assert card.thresholds == {"default": 0.5, **chosen}
    images = sorted((workspace / "images").rglob("*.png"))[::9]
    models = [run / f"fold_{number}" / "model" for number in range(1, FOLDS + 1)]
    members = [scores_by(model, images, tmp_path / "scores.csv") for model in models]
    assert np.ptp(members, axis=0).max() > 1e-4, "the networks must differ"
    found = scores_by(run / "model", images, tmp_path / "scores.csv")
    np.testing.assert_allclose(found, np.mean(members, axis=0), atol=1.5e-6)  # six decimals
    # Every image of these data is one that it learnt from.
    data = ("--data", str(finished / "data"), "--split", "all", "--out", str(tmp_path / "out"))
    assert "leak" in error_of(capsys, evaluate, "--model", str(run / "model"), *data)


def test_something_else_in_place_of_the_ensemble_is_refused_before_any_fold(
    workspace, tmp_path, capsys
):
    config = write_config(tmp_path, data={"prepared": str(workspace / "data")})
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "thesis.tex").write_text("mine")
    line = refusal_of(capsys, crossval, "--config", str(config), "--folds", "3", "--ensemble")
    assert line.endswith(f"move {tmp_path / 'run' / 'model'} away")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["fold_1/predictions_test.csv", OUT_OF_FOLD, FOLDS_FILE])
def test_a_pipe_in_place_of_an_output_is_refused_before_any_fold(finished, tmp_path, name, capsys):
    run = tmp_path / "run"
    shutil.copytree(finished / "run", run)
    (run / name).unlink()
    os.mkfifo(run / name)
    command = ("--config", str(finished / "train.yaml"), "--folds", str(FOLDS), "--run", str(run))
    line = error_of(capsys, crossval, *command)
    assert line == f"error: {run / name}: is a pipe or a device, where a file belongs; remove it"


def test_the_second_of_two_that_finish_leaves_the_scores_to_the_first(finished, tmp_path, capsys):
    folder = tmp_path / "two"
    shutil.copytree(finished, folder)
    run = folder / "run"
    config = write_config(folder, epochs=1)
    (run / OUT_OF_FOLD).unlink()
    with locked_output(run / REPORT):
        assert status_of(crossval, "--config", str(config), "--folds", str(FOLDS)) == 0
    assert "another process gathers the scores" in capsys.readouterr().out
    assert not (run / OUT_OF_FOLD).exists()


@pytest.mark.slow
def test_repeats_deal_anew_and_an_image_has_the_mean_of_its_scores(workspace, tmp_path):
    shutil.copytree(workspace / "data", tmp_path / "data")
    config = write_config(tmp_path, epochs=1)
    options = ("--config", str(config), "--folds", str(FOLDS), "--repeats", "2")
    assert status_of(crossval, *options) == 0
    run = tmp_path / "run"
    parts = [
        {row["image_id"]: float(row["score"]) for row in table(path)}
        for path in (run / f"repeat_{number}" / OUT_OF_FOLD for number in (1, 2))
    ]
    assert parts[0] != parts[1]
    for row in table(run / OUT_OF_FOLD):
        mean = np.mean([part[row["image_id"]] for part in parts])
        assert float(row["score"]) == pytest.approx(mean)
        assert row["prediction"] == str(int(mean >= 0.5))
    rows = table(run / FOLDS_FILE)
    assert [(row["repeat"], row["fold"]) for row in rows] == [
        (str(repeat), str(fold)) for repeat in (1, 2) for fold in (1, 2, 3)
    ]
    assert len({row["test_set"] for row in rows}) == 6
    assert status_of(folds, str(run), str(run)) == 0


@pytest.mark.slow
def test_cross_validation_killed_at_random_moments_gives_the_same_scores(finished, tmp_path):
    """Each attempt may run longer than the one before, until one ends by itself."""
    shutil.copytree(finished / "data", tmp_path / "data")
    config = write_config(tmp_path, epochs=1)
    command = [sys.executable, "-m", "elbow_jax.crossval", "--config", str(config)]
    chance = random.Random(0)
    for attempt in range(1, 40):
        process = subprocess.Popen([*command, "--folds", str(FOLDS)], stdout=subprocess.DEVNULL)
        try:
            status = process.wait(timeout=chance.uniform(1, 6 * attempt))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            continue
        assert status == 0
        break
    assert attempt > 3, "it was not killed often enough"
    for name in (OUT_OF_FOLD, FOLDS_FILE):
        assert (tmp_path / "run" / name).read_bytes() == (finished / "run" / name).read_bytes()


def test_another_number_of_folds_is_refused_in_the_same_folder(finished, tmp_path, capsys):
    folder = tmp_path / "other"
    shutil.copytree(finished, folder)
    config = write_config(folder, epochs=1)
    line = refusal_of(capsys, crossval, "--config", str(config), "--folds", "4")
    assert "data.fold" in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --folds N"),
        (["--folds", "2"], "--folds: 2 is below 3"),
        (["--folds", "x"], "--folds: 'x' is not a number"),
        (["--folds", "3", "--fold", "4"], "--fold: 4 is not from 1 to 3"),
        (["--folds", "3", "--repeats", "0"], "--repeats: 0 is below 1"),
        (
            ["--folds", "3", "--repeats", "2", "--fold", "7"],
            "--fold: 7 is not from 1 to 6",
        ),
        (
            ["--folds", "3", "--data.fold", "{number: 1, of: 3}"],
            "data.fold: is set by this command",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, capsys, arguments, words):
    config = write_config(tmp_path, epochs=1)
    assert words in refusal_of(capsys, crossval, "--config", str(config), *arguments)
