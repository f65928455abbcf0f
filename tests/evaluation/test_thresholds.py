"""Operating points against an exhaustive search over the candidates of scikit-learn's ROC."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from elbow_core.evaluation.statistics import binary_metrics, choose_thresholds
from elbow_core.evaluation.statistics.thresholds import NONE_INJURED

SCORES = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1))
BOTH_CLASSES = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=2, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@settings(max_examples=150, deadline=None)
@given(rows=BOTH_CLASSES)
def test_operating_points_are_the_best_of_all_candidates(rows):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    scores = scores.astype(float)
    chosen = choose_thresholds(labels, scores)
    false_rate, true_rate, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    positives, negatives = labels.sum(), (1 - labels).sum()
    # The first candidate is infinity: no image is called injured.
    candidates = [
        (threshold, round(true * positives), negatives - round(false * negatives))
        for false, true, threshold in zip(false_rate, true_rate, thresholds, strict=True)
    ]

    index = {t: tp * negatives + tn * positives for t, tp, tn in candidates[1:]}
    assert chosen["youden"] == max(t for t in index if index[t] == max(index.values()))
    assert chosen["sensitivity_95"] == max(
        t for t, tp, _ in candidates[1:] if 20 * tp >= 19 * positives
    )
    specific = [t for t, _, tn in candidates[1:] if 20 * tn >= 19 * negatives]
    assert chosen["specificity_95"] == (min(specific) if specific else NONE_INJURED)


@settings(max_examples=50, deadline=None)
@given(rows=BOTH_CLASSES)
def test_chosen_points_reach_their_sensitivity_and_specificity_on_validation(rows):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    scores = scores.astype(float)
    chosen = choose_thresholds(labels, scores)
    assert binary_metrics(labels, scores, chosen["sensitivity_95"])["sensitivity"] >= 0.95
    assert binary_metrics(labels, scores, chosen["specificity_95"])["specificity"] >= 0.95


def test_nineteen_of_twenty_is_enough_and_eighteen_is_not():
    labels = np.array([1] * 20 + [0] * 20)
    scores = np.concatenate([np.arange(1, 21) / 20, np.arange(20) / 20])
    assert choose_thresholds(labels, scores)["sensitivity_95"] == pytest.approx(0.1)
    assert choose_thresholds(labels, scores)["specificity_95"] == pytest.approx(0.95)


def test_unreachable_specificity_calls_nothing_injured():
    labels, scores = np.array([0, 0, 1]), np.array([1.0, 1.0, 0.5])
    threshold = choose_thresholds(labels, scores)["specificity_95"]
    assert threshold == NONE_INJURED
    assert binary_metrics(labels, scores, threshold)["specificity"] == 1


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
def test_one_class_has_no_operating_point(labels):
    with pytest.raises(ValueError, match="both classes"):
        choose_thresholds(np.array(labels), np.array([0.1, 0.9]))
