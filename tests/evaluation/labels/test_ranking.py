"""The order of doubtful labels, against cleanlab's definitions."""

import sys

import numpy as np
import pytest
from cleanlab.rank import get_label_quality_scores

from elbow_core.dataset import NearPair
from elbow_core.errors import UserError
from elbow_core.evaluation import Predictions
from elbow_core.evaluation.labels import label_quality
from elbow_core.evaluation.labels.quality import flag_labels
from elbow_core.evaluation.labels.ranking import rank_labels
from tests.support.tiny_images import row


def scored(labels: list[int], scores: list[float]) -> Predictions:
    count = len(labels)
    return Predictions(
        image_id=np.array([f"i{k}" for k in range(count)]),
        patient_id=np.array([""] * count),
        study_id=np.array([""] * count),
        label=np.array(labels, np.int64),
        score=np.array(scores, np.float64),
        prediction=(np.array(scores) >= 0.5).astype(np.int64),
        model="m",
    )


def test_quality_is_the_self_confidence_less_that_of_the_class():
    """By hand, as Kuan and Mueller (2022) define the adjustment: less the mean, plus a shift."""
    labels = np.array([0, 0, 0, 1, 1], np.int64)
    scores = np.array([0.1, 0.2, 0.9, 0.6, 0.4])
    quality = label_quality(labels, scores)
    own = np.where(labels == 1, scores, 1 - scores)
    means = np.array([own[labels == k].mean() for k in (0, 1)])
    adjusted = np.stack([1 - scores, scores], axis=1) - means
    adjusted += means.max()
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    assert np.allclose(quality, adjusted[np.arange(5), labels])
    assert np.all((quality >= 0) & (quality <= 1))


def test_margin_and_entropy_have_the_order_of_the_self_confidence_with_two_classes():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 300), rng.uniform(0.001, 0.999, 300)
    probabilities = np.stack([1 - scores, scores], axis=1)
    orders = [
        np.argsort(get_label_quality_scores(labels, probabilities, method=method), kind="stable")
        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    ]
    assert np.array_equal(orders[0], orders[1])
    assert np.array_equal(orders[0], orders[2])


def test_flipped_labels_of_good_scores_come_first_and_are_flagged():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    scores = 1 / (1 + np.exp(-rng.normal(6 * truth - 3, 1.0)))
    wrong = np.zeros(400, bool)
    wrong[rng.choice(400, 20, replace=False)] = True
    labels = np.where(wrong, 1 - truth, truth)
    first = np.argsort(label_quality(labels, scores))[:40]
    assert wrong[first].sum() >= 19
    flagged = flag_labels(labels, scores)
    assert wrong[flagged].mean() > 0.8


def test_near_duplicates_with_contradicting_labels_come_first_the_closest_pair_before(tmp_path):
    rows = [row(f"i{k}", label=k % 2) for k in range(8)]
    found = scored([k % 2 for k in range(8)], [0.1, 0.9, 0.95, 0.8, 0.2, 0.3, 0.1, 0.9])
    pairs = [NearPair("i0", "i1", 9), NearPair("i6", "i7", 2), NearPair("i0", "i4", 0)]
    ranked = rank_labels(found, rows, pairs)
    assert {label.image_id for label in ranked[:2]} == {"i6", "i7"}
    assert {label.image_id for label in ranked[2:4]} == {"i0", "i1"}
    assert [label.image_id for label in ranked[4:6]] == ["i2", "i5"]
    assert len(ranked) == 8
    twin = ranked[0].twins[0]
    assert (twin.bits, ranked[0].label + twin.label) == (2, 1)
    assert [len(label.twins) for label in ranked] == [1] * 4 + [0] * 4


def test_near_duplicate_without_a_score_is_shown_with_its_scored_twin():
    rows = [row(f"i{k}", label=k % 2) for k in range(6)] + [row("other", label=1)]
    found = scored([k % 2 for k in range(6)], [0.1, 0.9] * 3)
    ranked = rank_labels(found, rows, [NearPair("i0", "other", 1)])
    assert [label.image_id for label in ranked[:2]] == ["i0", "other"]
    assert (ranked[1].score, ranked[1].quality, ranked[1].flagged) == (None, None, False)
    assert len(ranked) == 7


def test_missing_cleanlab_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(UserError, match=r"elbow-radiographs\[labels\]"):
        label_quality(np.array([0, 1]), np.array([0.1, 0.9]))
