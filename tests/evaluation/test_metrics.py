"""Every metric against scikit-learn, over inputs with ties, one class, all right and all wrong."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from elbow_core.evaluation.statistics import auroc, average_precision, binary_metrics
from elbow_core.evaluation.statistics.calibration import bin_indices, expected_calibration_error
from elbow_core.evaluation.statistics.ranking import counts_by_threshold, midranks

# Few distinct scores, so that ties and scores on a threshold or a bin's edge are common.
SCORES = st.one_of(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.75, 1.0]), st.floats(0, 1))
ROWS = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=1, max_size=40)
ONE_CLASS = [(1, 0.2), (1, 0.8)]
ALL_NORMAL = [(0, 0.1), (0, 0.5)]
ALL_RIGHT = [(1, 0.9), (0, 0.1), (1, 0.8)]
ALL_WRONG = [(0, 0.9), (1, 0.1), (0, 0.8)]
ALL_TIED = [(0, 0.5), (1, 0.5), (1, 0.5)]


def arrays(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = zip(*rows, strict=True)
    return np.array(labels), np.array(scores, np.float64)


def examples(test):
    for rows in (ONE_CLASS, ALL_NORMAL, ALL_RIGHT, ALL_WRONG, ALL_TIED):
        test = example(rows=rows, threshold=0.5)(test)
    return test


@examples
@settings(max_examples=80, deadline=None)
@given(rows=ROWS, threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_metrics_equal_scikit_learn_or_are_nan_with_a_reason(rows, threshold):
    labels, scores = arrays(rows)
    predicted = (scores >= threshold).astype(int)
    ours = binary_metrics(labels, scores, threshold)
    tn, fp, fn, tp = sk.confusion_matrix(labels, predicted, labels=[0, 1]).ravel().tolist()
    assert (ours["tn"], ours["fp"], ours["fn"], ours["tp"]) == (tn, fp, fn, tp)
    assert ours["n"] == ours["positives"] + ours["negatives"] == len(rows)

    nan: Any = math.nan  # scikit-learn is annotated by its defaults, which are strings
    with warnings.catch_warnings():
        # One class alone makes several of scikit-learn's functions warn; ours give a reason.
        warnings.simplefilter("ignore")
        expected = {
            "accuracy": sk.accuracy_score(labels, predicted),
            "precision": sk.precision_score(labels, predicted, zero_division=nan),
            "recall": sk.recall_score(labels, predicted, zero_division=nan),
            "sensitivity": sk.recall_score(labels, predicted, zero_division=nan),
            "specificity": sk.recall_score(labels, predicted, pos_label=0, zero_division=nan),
            "npv": sk.precision_score(labels, predicted, pos_label=0, zero_division=nan),
            "f1": sk.f1_score(labels, predicted, zero_division=nan),
            "kappa": sk.cohen_kappa_score(labels, predicted, labels=[0, 1]),
            "mcc": sk.matthews_corrcoef(labels, predicted),
            "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
            "auroc": sk.roc_auc_score(labels, scores),
            "average_precision": sk.average_precision_score(labels, scores),
            "brier": sk.brier_score_loss(labels, scores, pos_label=1),
        }
    for name, value in expected.items():
        if math.isnan(ours[name]):
            assert ours["undefined"][name]
            # The silent 0 (or the mean of the one class) that scikit-learn gives there.
            assert math.isnan(value) or value == 0 or name == "balanced_accuracy"
        else:
            assert name not in ours["undefined"]
            assert ours[name] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("rows", "undefined"),
    [
        (ONE_CLASS, {"specificity", "balanced_accuracy", "auroc", "mcc"}),
        (
            ALL_NORMAL[:1],
            {
                *("precision", "recall", "sensitivity", "f1", "kappa", "mcc"),
                *("balanced_accuracy", "auroc", "average_precision"),
            },
        ),
        (ALL_RIGHT, set()),
        (ALL_WRONG, set()),
    ],
)
def test_exactly_the_metrics_without_a_denominator_are_undefined(rows, undefined):
    ours = binary_metrics(*arrays(rows))
    assert set(ours["undefined"]) == undefined
    assert {name for name, value in ours.items() if value != value} == undefined


@examples
@settings(max_examples=100, deadline=None)
@given(rows=ROWS, threshold=st.just(0.5))
def test_calibration_error_equals_the_one_from_scikit_learns_curve(rows, threshold):
    labels, scores = arrays(rows)
    fraction, mean_score = calibration_curve(labels, scores, n_bins=10, pos_label=1)
    counts = np.bincount(bin_indices(scores))
    expected = np.sum(counts[counts > 0] * np.abs(fraction - mean_score)) / len(rows)
    assert expected_calibration_error(labels, scores) == pytest.approx(expected, abs=1e-12)


@examples
@settings(max_examples=100, deadline=None)
@given(rows=ROWS, threshold=st.just(0.5))
def test_counts_by_threshold_equal_scikit_learns_curves(rows, threshold):
    labels, scores = arrays(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        false_rate, true_rate, thresholds = sk.roc_curve(labels, scores, drop_intermediate=False)
        precision, recall, _ = sk.precision_recall_curve(labels, scores)
    candidates, true_positives, false_positives = counts_by_threshold(labels, scores)
    # scikit-learn's first threshold is infinity, its last point of precision is (0, 1).
    np.testing.assert_array_equal(candidates, thresholds[1:])
    with np.errstate(invalid="ignore"):
        ours_false, ours_true = (
            counts / counts[-1] for counts in (false_positives, true_positives)
        )
    np.testing.assert_allclose(ours_false, false_rate[1:], atol=1e-12)
    np.testing.assert_allclose(ours_true, true_rate[1:], atol=1e-12)
    if labels.any():
        ours = true_positives / (true_positives + false_positives)
        np.testing.assert_allclose(ours_true, recall[:-1][::-1], atol=1e-12)
        np.testing.assert_allclose(ours, precision[:-1][::-1], atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(SCORES, min_size=1, max_size=40))
def test_midranks_equal_scipy(scores):
    np.testing.assert_array_equal(midranks(np.array(scores)), rankdata(scores))


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 99))
def test_order_of_images_changes_no_metric(rows, seed):
    labels, scores = arrays(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    here, there = binary_metrics(labels, scores), binary_metrics(labels[order], scores[order])
    for name, value in here.items():
        assert there[name] == pytest.approx(value, abs=1e-12, nan_ok=True)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=40))
def test_monotone_transform_changes_neither_area(rows):
    labels, values = arrays(rows)
    for transform in (np.exp, np.cbrt, lambda v: 3 * v - 50):
        assert auroc(labels, transform(values)) == pytest.approx(
            auroc(labels, values), abs=1e-12, nan_ok=True
        )
        assert average_precision(labels, transform(values)) == pytest.approx(
            average_precision(labels, values), abs=1e-12, nan_ok=True
        )


@settings(max_examples=100, deadline=None)
@given(rows=ROWS)
def test_swapping_the_classes_swaps_the_metrics(rows):
    labels, scores = arrays(rows)
    # Away from 0.5 the swapped prediction is the complement; a score of 0.5 is injury both ways.
    scores = np.where(scores == 0.5, 0.75, scores)
    here, there = binary_metrics(labels, scores), binary_metrics(1 - labels, 1 - scores)
    for name, swapped in (
        ("sensitivity", "specificity"),
        ("precision", "npv"),
        *((same, same) for same in ("accuracy", "kappa", "mcc", "auroc", "brier")),
    ):
        # 1 - score rounds, which may create or remove a tie: only then may the area change.
        if name == "auroc" and len(np.unique(1 - scores)) != len(np.unique(scores)):
            continue
        assert there[swapped] == pytest.approx(here[name], abs=1e-9, nan_ok=True)


def test_auroc_counts_every_tied_pair_as_half():
    assert auroc(np.array([0, 1, 0, 1]), np.array([0.2, 0.2, 0.2, 0.2])) == 0.5
    assert auroc(np.array([0, 1, 1]), np.array([0.3, 0.3, 0.9])) == 0.75


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1], [0.5, math.nan], "not finite"),
        ([0, 1], [0.5, math.inf], "not finite"),
        ([0, 1], [0.5, 1.5], "outside"),
        ([0, 2], [0.5, 0.5], "neither"),
        ([], [], "no images"),
    ],
)
def test_invalid_labels_and_scores_are_refused(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        binary_metrics(np.array(labels, int), np.array(scores, float))
