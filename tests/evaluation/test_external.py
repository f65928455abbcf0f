"""Internal beside external: differences of independent sets, calibration, recalibration."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from elbow_core.errors import PredictionsError
from elbow_core.evaluation import write_predictions
from elbow_core.evaluation.external import (
    AS_IS,
    BOTH,
    INTERCEPT,
    set_pairs,
    validate_externally,
)
from elbow_core.evaluation.report import __main__ as command
from elbow_core.evaluation.statistics import auroc
from elbow_core.evaluation.statistics.calibration import fit_recalibration, recalibrate
from elbow_core.evaluation.statistics.differences import (
    delong,
    difference_of_areas,
    difference_of_proportions,
)
from tests.support.commands import refusal_of, status_of
from tests.support.scores import predictions_of, simulated_scores


def set_of(seed: int, images: int, shift: float = 0.0, scale: float = 1.0, per_patient: int = 1):
    """Predictions whose log-odds are ``scale`` times the true ones, plus ``shift``."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(0, 2, images)
    labels = (generator.random(images) < expit(truth)).astype(np.int64)
    names = [f"s{seed}_{number:05d}" for number in range(images)]
    patients = [f"s{seed}_p{number // per_patient:05d}" for number in range(images)]
    return predictions_of(names, patients, patients, labels, expit(scale * truth + shift))


def proportions(successes: int, images: int):
    return np.arange(images) < successes, np.arange(images)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_interval_of_two_proportions_is_that_of_newcombe(first, second, low, high):
    found = difference_of_proportions(proportions(*first), proportions(*second))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.estimate == pytest.approx(first[0] / first[1] - second[0] / second[1])


def test_repeated_images_of_patients_add_no_certainty():
    once, twice = proportions(30, 50), (np.repeat(proportions(30, 50)[0], 2), np.arange(100) // 2)
    other = proportions(20, 40)
    single, double = (difference_of_proportions(one, other) for one in (once, twice))
    assert (double.low, double.high) == pytest.approx((single.low, single.high), abs=0.01)


def test_areas_of_independent_sets_add_their_variances():
    """DeLong's paired difference against constant scores has the variance of one area alone."""
    sets, widths = [], []
    for seed, images in ((0, 120), (1, 80)):
        labels, scores = simulated_scores(seed, images)
        patients = np.arange(images)
        sets.append((labels, scores, patients))
        alone = delong(labels, scores, np.zeros(images), patients)
        widths.append(alone.high - alone.low)
    found = difference_of_areas(*sets)
    assert found.high - found.low == pytest.approx(math.hypot(*widths), rel=1e-6)
    assert found.estimate == pytest.approx(auroc(*sets[0][:2]) - auroc(*sets[1][:2]))


def test_area_without_a_class_has_no_interval():
    labels, scores = simulated_scores(0, 40)
    whole = (labels, scores, np.arange(40))
    injured = (np.ones(10, np.int64), scores[:10], np.arange(10))
    found = difference_of_areas(whole, injured)
    assert found.reason == "fewer than two patients of a class"
    assert math.isnan(found.low)


def test_recalibration_finds_the_line_that_was_bent():
    external = set_of(3, 20_000, shift=1.0, scale=2.0)
    line = fit_recalibration(external.label, external.score, with_slope=True)
    assert line is not None
    assert line == pytest.approx((-0.5, 0.5), abs=0.05)
    again = fit_recalibration(external.label, recalibrate(external.score, *line), True)
    assert again == pytest.approx((0.0, 1.0), abs=1e-6)
    shifted = set_of(4, 20_000, shift=1.0)
    assert fit_recalibration(shifted.label, shifted.score, False) == pytest.approx(
        (-1.0, 1.0), abs=0.08
    )


def test_scores_that_separate_the_classes_have_no_line():
    labels = np.array([0, 0, 1, 1])
    assert fit_recalibration(labels, np.array([0.1, 0.2, 0.8, 0.9]), True) is None
    assert fit_recalibration(np.ones(4, np.int64), np.full(4, 0.5), False) is None


def test_external_set_is_judged_at_the_frozen_threshold():
    internal, external = set_of(5, 400), set_of(6, 600, shift=1.0, per_patient=2)
    found = validate_externally(internal, external, 0.3)
    called = external.score >= 0.3
    assert found.external["sensitivity"] == called[external.label == 1].mean()
    assert found.external["specificity"] == (~called)[external.label == 0].mean()
    assert found.differences["specificity"].estimate == pytest.approx(
        found.internal["specificity"] - found.external["specificity"]
    )
    assert found.differences["specificity"].low > 0
    assert (found.images, found.patients, found.injured) == (600, 300, external.label.sum())


def test_recalibration_is_fitted_on_other_patients_than_it_is_judged_on():
    internal, external = set_of(5, 400), set_of(6, 4000, shift=1.0, scale=1.5, per_patient=2)
    found = validate_externally(internal, external, 0.5)
    assert (found.fitted, found.rest, found.rest_patients) == (2000, 2000, 1000)
    ways = {way.name: way for way in found.recalibrations}
    assert list(ways) == [AS_IS, INTERCEPT, BOTH]
    errors = [ways[name].calibration.brier for name in (AS_IS, INTERCEPT, BOTH)]
    assert errors == sorted(errors, reverse=True)
    assert abs(ways[BOTH].calibration.slope - 1) < 0.15
    assert ways[AS_IS].calibration.slope == pytest.approx(1 / 1.5, abs=0.1)
    # The line is that of the fitted part, not of all images.
    everything = fit_recalibration(external.label, external.score, True)
    assert (ways[BOTH].intercept, ways[BOTH].slope) != everything
    again = validate_externally(internal, external, 0.5)
    assert again.recalibrations == found.recalibrations
    assert validate_externally(internal, external, 0.5, seed=1).recalibrations[2] != ways[BOTH]


def test_too_small_a_set_has_undefined_recalibrations_and_no_error():
    names = ["a", "b"]
    external = predictions_of(names, names, names, np.array([0, 1]), np.array([0.2, 0.7]))
    found = validate_externally(set_of(5, 100), external, 0.5)
    assert all(math.isnan(way.intercept) for way in found.recalibrations[1:])


def test_another_model_and_shared_images_are_refused():
    internal = set_of(5, 50)
    with pytest.raises(PredictionsError, match="is in the internal set too, as 50 in all"):
        validate_externally(internal, internal, 0.5)
    labels, scores = simulated_scores(1, 20)
    names = [f"x{number}" for number in range(20)]
    other = replace(predictions_of(names, names, names, labels, scores), model="other")
    with pytest.raises(PredictionsError, match="is of the model 'other'"):
        validate_externally(internal, other, 0.5)


def test_overall_log_odds_agree_with_a_hand_calculation():
    """Observed over expected of scores that say one half: twice the prevalence."""
    names = [f"h{number}" for number in range(40)]
    labels = (np.arange(40) < 10).astype(np.int64)
    half = predictions_of(names, names, names, labels, np.full(40, 0.5))
    found = validate_externally(set_of(5, 50), half, 0.5).external_calibration
    assert found.observed_to_expected == pytest.approx(0.5)
    assert found.intercept == pytest.approx(logit(0.25), abs=1e-6)
    assert math.isnan(found.slope)


def test_command_takes_an_internal_set_for_each_model(tmp_path, capsys):
    for name, found in (("in", set_of(5, 80)), ("out", set_of(6, 90, shift=1.0))):
        write_predictions(tmp_path / f"{name}.csv", found)
    arguments = [str(tmp_path / "out.csv"), "--internal", str(tmp_path / "in.csv")]
    options = ["--out", str(tmp_path / "report"), "--draws", "100"]
    assert status_of(command, *arguments, *options) == 0
    written = json.loads((tmp_path / "report/metrics.json").read_text())["external"]["m"]
    expected = validate_externally(set_of(5, 80), set_of(6, 90, shift=1.0), 0.5)
    assert written["differences"]["auroc"]["low"] == pytest.approx(
        expected.differences["auroc"].low
    )
    assert [way["name"] for way in written["recalibrations"]] == [AS_IS, INTERCEPT, BOTH]
    # The other way round the same two sets are compared, and the report is on the internal one.
    swapped = [str(tmp_path / "in.csv"), "--external", str(tmp_path / "out.csv")]
    assert status_of(command, *swapped, *options) == 0
    content = json.loads((tmp_path / "report/metrics.json").read_text())
    assert content["external"]["m"] == written
    assert content["images"] == 80
    assert [row["role"] for row in content["inputs"]] == ["predictions", "external set"]
    line = refusal_of(capsys, command, arguments[0], "--internal", arguments[0], *options)
    assert "is in the internal set too, as 90 in all" in line


def test_internal_set_of_a_model_that_is_not_judged_is_refused():
    own = set_of(5, 20)
    other = replace(set_of(6, 20), model="other")
    with pytest.raises(PredictionsError, match="internal set of 'm', which is not reported"):
        set_pairs([other], [own])
    with pytest.raises(PredictionsError, match="a second internal set of 'm'"):
        set_pairs([own], [own, own])
    with pytest.raises(PredictionsError, match="external set of 'other', which is not reported"):
        set_pairs([own], external=[other])
    with pytest.raises(PredictionsError, match="the judged images are one of the two"):
        set_pairs([own], [own], [own])
