"""Folds of two recipes compared: the corrected resampled t-test and its command."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.folds import __main__ as command
from elbow_core.evaluation.folds import compare_folds, measure_fold, read_folds, spread, write_folds
from elbow_core.evaluation.folds.metrics import METRICS
from elbow_core.evaluation.statistics import auroc, metric_intervals
from elbow_core.evaluation.statistics.differences import corrected_resampled_t
from tests.support.commands import refusal_of, status_of
from tests.support.scores import predictions_of, simulated_scores


def folds_of(seed: int, skill: float = 0.0, count: int = 5):
    """Five folds of 40 images each; ``skill`` adds to the score of each injured image."""
    found = []
    for number in range(1, count + 1):
        labels, scores = simulated_scores(number, 40)
        noise = np.random.default_rng([seed, number]).normal(0, 0.1, 40)
        names = [f"f{number}_{image:02d}" for image in range(40)]
        scores = np.clip(scores + noise + skill * labels, 0, 1)
        found.append(
            measure_fold(1, number, 120, predictions_of(names, names, names, labels, scores))
        )
    return found


def test_test_is_that_of_nadeau_and_bengio():
    """By the formula of their equation 9, from another side: scipy's t-test, rescaled."""
    differences = np.random.default_rng(0).normal(0.02, 0.03, 15)
    found = corrected_resampled_t(differences, 1 / 3)
    plain: Any = stats.ttest_1samp(differences, 0.0)
    shrunk = plain.statistic * math.sqrt((1 / 15) / (1 / 15 + 1 / 3))
    assert found.estimate == pytest.approx(differences.mean())
    assert found.p == pytest.approx(2 * stats.t.sf(abs(shrunk), 14))
    assert found.p > plain.pvalue
    half = found.estimate / shrunk * stats.t.ppf(0.975, 14)
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half))


def test_without_held_out_images_it_is_the_paired_t_test():
    differences = np.random.default_rng(1).normal(0.02, 0.03, 10)
    plain: Any = stats.ttest_1samp(differences, 0.0)
    assert corrected_resampled_t(differences, 0.0).p == pytest.approx(plain.pvalue)


@pytest.mark.parametrize(
    ("differences", "reason"),
    [
        ([0.1], "fewer than two folds"),
        ([], "fewer than two folds"),
        ([0.1, math.nan], "the metric is undefined in a fold"),
        ([0.1, 0.1, 0.1], "the folds do not differ"),
    ],
)
def test_undefined_tests_say_why(differences, reason):
    found = corrected_resampled_t(np.array(differences, float), 0.25)
    assert found.reason == reason
    assert math.isnan(found.p)
    assert math.isnan(found.low)


@pytest.mark.slow
def test_type_one_error_over_overlapping_folds():
    """Two equal recipes, a nearest-mean classifier of two random halves of the features each.

    The ordinary paired t-test over folds rejects too often; the corrected one does not.
    """
    generator = np.random.default_rng(2)
    corrected = plain = 0
    trials = 400
    for _ in range(trials):
        labels = np.repeat([0, 1], 50)
        features = generator.normal(0, 1, (100, 20)) + 0.25 * labels[:, None]
        fold = generator.permutation(np.arange(100) % 5)
        differences = np.zeros(5)
        for held_out in range(5):
            test = fold == held_out
            direction = features[~test & (labels == 1)].mean(0) - features[
                ~test & (labels == 0)
            ].mean(0)
            projected = features[test] * direction
            differences[held_out] = auroc(labels[test], projected[:, :10].sum(1)) - auroc(
                labels[test], projected[:, 10:].sum(1)
            )
        found = corrected_resampled_t(differences, 0.25)
        corrected += found.p < 0.05
        ordinary: Any = stats.ttest_1samp(differences, 0.0)
        plain += ordinary.pvalue < 0.05
    assert corrected / trials <= 0.06
    assert plain > corrected


def test_written_folds_come_back(tmp_path):
    folds = folds_of(0)
    write_folds(tmp_path / "folds.csv", folds)
    again = read_folds(tmp_path)
    assert [fold.test_set for fold in again] == [fold.test_set for fold in folds]
    for ours, theirs in zip(folds, again, strict=True):
        assert theirs.metrics == pytest.approx(ours.metrics, abs=1e-6)
    mean, deviation = spread(folds, "auroc")
    values = [fold.metrics["auroc"] for fold in folds]
    assert (mean, deviation) == pytest.approx((np.mean(values), np.std(values, ddof=1)))


def test_metric_without_a_class_is_an_empty_cell(tmp_path):
    names = ["a", "b"]
    of_one_class = predictions_of(names, names, names, np.array([1, 1]), np.array([0.2, 0.7]))
    write_folds(tmp_path / "folds.csv", [measure_fold(1, 1, 10, of_one_class)])
    (fold,) = read_folds(tmp_path / "folds.csv")
    assert math.isnan(fold.metrics["auroc"])
    assert math.isnan(fold.metrics["specificity"])
    assert fold.metrics["sensitivity"] == 0.5


def test_command_prints_each_metrics_difference(tmp_path, capsys):
    better, worse = folds_of(0, skill=0.3), folds_of(0)
    for name, folds in (("a", better), ("b", worse)):
        (tmp_path / name).mkdir()
        write_folds(tmp_path / name / "folds.csv", folds)
    assert status_of(command, str(tmp_path / "a"), str(tmp_path / "b")) == 0
    printed = capsys.readouterr().out
    for metric in METRICS:
        difference = compare_folds(better, worse)[metric]
        assert f"{metric}: " in printed
        assert f"difference {difference.estimate:+.3f}" in printed
    assert "5 folds, 1 repeats" in printed


def test_folds_of_other_images_are_refused(tmp_path, capsys):
    first, second = folds_of(0), folds_of(0)
    with pytest.raises(PredictionsError, match="the same folds are needed"):
        compare_folds(first, second[:4])
    write_folds(tmp_path / "a.csv", first)
    text = (tmp_path / "a.csv").read_text().replace(first[2].test_set, "0" * 16)
    (tmp_path / "b.csv").write_text(text)
    line = refusal_of(capsys, command, str(tmp_path / "a.csv"), str(tmp_path / "b.csv"))
    assert "fold 3 of repeat 1 has other images in the two runs" in line


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("repeat,", "repetition,", ":1: the columns must be repeat,fold,train"),
        ("1,2,120", "1,1,120", ":3: fold 1 of repeat 1 is listed twice"),
        ("1,2,120", "1,2,x", ":3: 'x' is not a whole number"),
        ("1,2,120,40", "1,2,0,40", ":3: 0 training images"),
    ],
)
def test_damaged_tables_are_named_with_their_line(tmp_path, old, new, message):
    path = tmp_path / "folds.csv"
    write_folds(path, folds_of(0))
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(PredictionsError) as caught:
        read_folds(path)
    assert str(caught.value).startswith(f"{path}{message}")


def out_of_fold_coverage(simulations: int, patients: int = 200) -> float:
    """Return how often the report's interval of a pooled AUROC holds that of the folds' networks.

    A nearest-mean classifier of 20 normal features in five folds. The true AUROC of a direction is
    known in closed form; that of a cross-validation is its mean over the five.
    """
    shift = np.full(20, 0.35)
    held = 0
    for seed in range(simulations):
        generator = np.random.default_rng((3, seed))
        labels = np.repeat([0, 1], patients // 2)
        features = generator.normal(0, 1, (patients, 20)) + shift * labels[:, None]
        fold = generator.permutation(np.arange(patients) % 5)
        scores, truth = np.zeros(patients), []
        for number in range(5):
            learnt = fold != number
            means = [features[learnt & (labels == label)].mean(0) for label in (0, 1)]
            direction, middle = means[1] - means[0], (means[0] + means[1]) / 2
            scores[~learnt] = expit((features[~learnt] - middle) @ direction)
            truth.append(stats.norm.cdf(direction @ shift / math.sqrt(2 * direction @ direction)))
        interval = metric_intervals(labels, scores, np.arange(patients), draws=1000, seed=seed)
        held += interval["auroc"].low <= np.mean(truth) <= interval["auroc"].high
    return held / simulations


@pytest.mark.slow
def test_interval_of_a_pooled_auroc_covers_that_of_the_folds_networks():
    assert 0.92 <= out_of_fold_coverage(500) <= 0.98
