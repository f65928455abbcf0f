"""The mean of calibrated scores, against values computed by hand, and its place in a report."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elbow_core.errors import PredictionsError
from elbow_core.evaluation import (
    Predictions,
    ReportInputs,
    ReportSettings,
    write_predictions,
    write_report,
)
from elbow_core.evaluation.mean_scores import MEAN, mean_of_calibrated, reason_without_mean
from elbow_core.evaluation.report.__main__ import main
from elbow_core.evaluation.statistics import auroc, choose_thresholds
from elbow_core.evaluation.statistics.calibration import fit_temperature
from elbow_core.evaluation.statistics.differences import delong
from tests.support.report_inputs import predictions

FEW_DRAWS = ReportSettings(draws=100)


def table(model: str, labels: list[int], odds: list[float], prefix: str) -> Predictions:
    """Return predictions whose scores have the given odds of injury."""
    score = np.array(odds) / (1 + np.array(odds))
    count = len(labels)
    return Predictions(
        image_id=np.array([f"{prefix}{k}" for k in range(count)]),
        patient_id=np.array([f"{prefix}p{k}" for k in range(count)]),
        study_id=np.full(count, ""),
        label=np.array(labels),
        score=score,
        prediction=(score >= 0.5).astype(int),
        model=model,
    )


def by_hand() -> tuple[list[Predictions], dict[str, Predictions]]:
    """Return two models whose temperatures are 2 and 0.5, so that scores change by root and square.

    A score of odds o that is right in the share o' / (1 + o') of the images has the temperature
    log(o) / log(o'): 9 to 1 right in 3 of 4 gives log 9 / log 3 = 2, and 2 to 1 right in 4 of 5
    gives log 2 / log 4 = 0.5.
    """
    validation_labels = [1, 1, 1, 0] * 5
    sharp = table("sharp", validation_labels, [9] * 20, "v")
    # Right in 16 of 20 images: it calls one injured image normal, and 3 of the 5 normal ones.
    soft_odds = [0.5 if label == 0 else 2 for label in validation_labels]
    soft_odds[0] = 0.5
    for row in (3, 7, 11):
        soft_odds[row] = 2
    soft = table("soft", validation_labels, soft_odds, "v")
    test_labels = [0, 0, 1, 1]
    tested = [
        table("sharp", test_labels, [1 / 9, 9, 1, 81], "t"),
        table("soft", test_labels, [0.5, 0.5, 2, 1], "t"),
    ]
    return tested, {"sharp": sharp, "soft": soft}


def test_scores_are_the_mean_of_calibrated_probabilities_by_hand():
    members, validation = by_hand()
    for model, temperature in (("sharp", 2.0), ("soft", 0.5)):
        found = validation[model]
        assert fit_temperature(found.label, found.score) == pytest.approx(temperature, rel=1e-5)
    test, chosen_on = mean_of_calibrated(members, validation)
    # Odds 1/9, 9, 1, 81 become 1/3, 3, 1, 9; odds 1/2, 1/2, 2, 1 become 1/4, 1/4, 4, 1.
    by_hand_scores = [
        (1 / 4 + 1 / 5) / 2,
        (3 / 4 + 1 / 5) / 2,
        (1 / 2 + 4 / 5) / 2,
        (9 / 10 + 1 / 2) / 2,
    ]
    np.testing.assert_allclose(test.score, by_hand_scores, rtol=1e-5)
    assert test.prediction.tolist() == [0, 0, 1, 1]
    assert (test.model, test.path, test.lines) == (MEAN, "", None)
    assert test.image_id.tolist() == ["t0", "t1", "t2", "t3"]
    np.testing.assert_allclose(chosen_on.score[0], (3 / 4 + 1 / 5) / 2, rtol=1e-5)
    np.testing.assert_allclose(chosen_on.score[1], (3 / 4 + 4 / 5) / 2, rtol=1e-5)


def test_labels_of_the_test_set_do_not_change_the_scores():
    members, validation = by_hand()
    swapped = [replace(model, label=1 - model.label) for model in members]
    first, second = (mean_of_calibrated(given, validation)[0] for given in (members, swapped))
    np.testing.assert_array_equal(first.score, second.score)


def test_validation_rows_may_be_in_another_order():
    members, validation = by_hand()
    soft = validation["soft"]
    order = np.arange(len(soft))[::-1]
    columns = ("image_id", "patient_id", "study_id", "label", "score", "prediction")
    turned = replace(soft, **{name: getattr(soft, name)[order] for name in columns})
    first = mean_of_calibrated(members, validation)[1]
    second = mean_of_calibrated(members, validation | {"soft": turned})[1]
    np.testing.assert_allclose(first.score, second.score, rtol=1e-6)


def test_mean_of_certain_scores_stays_within_one():
    members, validation = by_hand()
    certain = [replace(model, score=np.ones(4), prediction=np.ones(4, int)) for model in members]
    assert (mean_of_calibrated([*certain], validation)[0].score <= 1).all()


def other_images(validation: dict[str, Predictions]) -> dict[str, Predictions]:
    image_id = np.array([f"w{k}" for k in range(20)])
    return validation | {"soft": replace(validation["soft"], image_id=image_id)}


def other_labels(validation: dict[str, Predictions]) -> dict[str, Predictions]:
    return validation | {"soft": replace(validation["soft"], label=1 - validation["soft"].label)}


@pytest.mark.parametrize(
    ("members", "change", "reason"),
    [
        (2, dict, ""),
        (1, dict, "it needs two single models or more, and there is 1"),
        (0, dict, "it needs two single models or more, and there is none"),
        (2, lambda _: {}, "it needs validation predictions (--validation) to calibrate each model"),
        (2, other_images, "the models' validation predictions differ in their images"),
        (2, other_labels, "the models' validation predictions differ in their images"),
    ],
)
def test_reason_without_a_mean(members, change, reason):
    models, validation = by_hand()
    found = reason_without_mean(models[:members], change(validation))
    assert found.startswith(reason)
    assert bool(found) == bool(reason)
    if reason:
        with pytest.raises(PredictionsError, match=MEAN):
            mean_of_calibrated(models[:members], change(validation))


MODELS = ("convnext", "medgemma", "fusion")


@pytest.fixture(scope="module")
def reported(tmp_path_factory) -> tuple[dict, str, dict[str, Predictions]]:
    """Report two single models and a fusion by the command; return content, text, validation."""
    folder = tmp_path_factory.mktemp("runs")
    validation = {}
    files: dict[str, list[str]] = {"t": [], "v": []}
    for seed, model in enumerate(MODELS):
        for prefix, name in (("t", "test"), ("v", "validation")):
            found = predictions(model, 2 * seed + (prefix == "v"), prefix)
            path = folder / model / f"predictions_{name}.csv"
            path.parent.mkdir(exist_ok=True)
            write_predictions(path, found)
            files[prefix].append(str(path))
            if prefix == "v":
                validation[model] = found
    out = folder / "out"
    options = ["--validation", *files["v"], "--fused", "fusion", "--out", str(out)]
    assert main([*files["t"], *options, "--draws", "100"]) == 0
    content = json.loads((out / "metrics.json").read_text())
    return content, (out / "report.md").read_text(), validation


def test_report_shows_the_mean_of_all_models_but_the_fused_one(reported):
    content, text, validation = reported
    assert list(content["models"]) == [*MODELS, MEAN]
    assert content["mean"] == {"model": MEAN, "of": ["convnext", "medgemma"], "reason": ""}
    assert "is that of convnext and medgemma" in text
    members = [predictions(model, 2 * seed, "t") for seed, model in enumerate(MODELS[:2])]
    test, _ = mean_of_calibrated(members, validation)
    found = content["models"][MEAN]
    assert found["auroc"] == pytest.approx(auroc(test.label, test.score))
    assert found["intervals"]["auroc"]["low"] < found["auroc"]
    assert found["accuracy"] == pytest.approx(np.mean((test.score >= 0.5) == (test.label == 1)))
    assert f"| {MEAN}: Youden |" in text


def test_thresholds_of_the_mean_come_from_its_own_validation_scores(reported):
    content, _, validation = reported
    members = [predictions(model, 2 * seed, "t") for seed, model in enumerate(MODELS[:2])]
    _, chosen_on = mean_of_calibrated(members, validation)
    points = content["models"][MEAN]["operating_points"]
    expected = {"default": 0.5} | choose_thresholds(chosen_on.label, chosen_on.score)
    assert {name: point["threshold"] for name, point in points.items()} == pytest.approx(expected)
    temperature = fit_temperature(chosen_on.label, chosen_on.score)
    assert content["models"][MEAN]["calibration"]["temperature"] == pytest.approx(temperature)


def test_mean_is_compared_with_every_other_model(reported):
    content, _, validation = reported
    pairs = {(row["first"], row["second"]) for row in content["comparisons"]}
    assert {(model, MEAN) for model in MODELS} <= pairs
    assert len(pairs) == 6
    members = [predictions(model, 2 * seed, "t") for seed, model in enumerate(MODELS[:2])]
    test, _ = mean_of_calibrated(members, validation)
    (row,) = [
        row
        for row in content["comparisons"]
        if (row["first"], row["second"], row["figure"]) == ("convnext", MEAN, "auroc")
    ]
    patients = np.unique(test.patient_id, return_inverse=True)[1]
    expected = delong(test.label, members[0].score, test.score, patients)
    assert row["estimate"] == pytest.approx(expected.estimate)
    assert row["p"] == pytest.approx(expected.p)
    assert math.isfinite(row["low"])


def test_inputs_are_told_apart_by_the_shortest_folder_and_the_mean_is_no_file(reported):
    content, text, _ = reported
    assert [file["file"] for file in content["inputs"]] == [
        *(f"{model}/predictions_test.csv" for model in MODELS),
        *(f"{model}/predictions_validation.csv" for model in MODELS),
    ]
    assert r"| medgemma/predictions\_validation.csv | – | validation |" in text


def test_report_without_validation_says_why_there_is_no_mean(tmp_path):
    models = [predictions("convnext", 1), predictions("medgemma", 2)]
    content = write_report(models, tmp_path / "out", settings=FEW_DRAWS)
    assert list(content["models"]) == ["convnext", "medgemma"]
    assert content["mean"]["model"] is None
    assert "No mean of calibrated scores: it needs validation predictions (--validation)" in (
        (tmp_path / "out/report.md").read_text()
    )


def test_a_fused_name_that_is_no_model_is_refused(tmp_path):
    models = [predictions("convnext", 1), predictions("medgemma", 2)]
    with pytest.raises(PredictionsError, match=r"fused: 'fusion' is no model.*'convnext', 'medg"):
        write_report(models, tmp_path / "out", ReportInputs(fused=["fusion"]), FEW_DRAWS)
    assert not Path(tmp_path / "out").exists()


def test_a_model_with_the_name_of_the_mean_is_refused(tmp_path):
    with pytest.raises(PredictionsError, match="give another with --names"):
        write_report([predictions(MEAN, 1)], tmp_path / "out", settings=FEW_DRAWS)
