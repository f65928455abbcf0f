"""FROC curves: values by hand, the definition by brute force, scikit-learn's area."""

import math

import numpy as np
import pytest
from sklearn.metrics import auc

from elbow_core.evaluation.statistics import (
    FROC_RATES,
    ScoredMarks,
    bca,
    resample_froc,
    resample_mean,
)
from elbow_core.evaluation.statistics.clusters import multiplicities

INF = math.inf


def scored(
    images: list[int],
    lesions: list[tuple[float, int]],
    false_marks: list[tuple[float, int]],
) -> ScoredMarks:
    """Marks; `images` are the patient of each, lesions and false marks are scores and patients."""

    def column(pairs: list[tuple[float, int]], index: int, kind: type) -> np.ndarray:
        return np.array([pair[index] for pair in pairs], kind)

    return ScoredMarks(
        np.array(images, np.int64),
        column(lesions, 0, np.float64),
        column(lesions, 1, np.int64),
        column(false_marks, 0, np.float64),
        column(false_marks, 1, np.int64),
    )


def curve_by_definition(marks: ScoredMarks, weights: np.ndarray, rate: float) -> float:
    """The highest sensitivity of any threshold with at most `rate` false marks per image."""
    best = 0.0
    lesion_weights = weights[marks.lesion_cluster]
    false_weights = weights[marks.false_cluster]
    for threshold in {*marks.lesion_score.tolist(), *marks.false_score.tolist()} - {-INF}:
        false_marks = false_weights[marks.false_score >= threshold].sum()
        if false_marks / weights[marks.image_cluster].sum() <= rate:
            found = lesion_weights[marks.lesion_score >= threshold].sum()
            best = max(best, found / lesion_weights.sum())
    return best


def test_curve_and_area_by_hand():
    # Four images of four patients, two lesions found at 9 and 5, one never found.
    marks = scored(
        [0, 1, 2, 3], [(9, 0), (5, 1), (-INF, 1)], [(7, 0), (6, 2), (6, 3), (5, 3), (1, 2)]
    )
    froc = resample_froc(marks, (0.25, 0.75, 1.0, 2.0), 100, 0)
    # The first lesion costs no false mark, the second four on four images.
    assert [found.estimate for found in froc.sensitivity] == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3, 2 / 3]
    )
    # A third over all rates up to 2, and a third from 1 to 2.
    assert froc.area.estimate == pytest.approx((1 / 3 * 2 + 1 / 3 * 1) / 2)


def test_marks_of_one_score_pass_a_threshold_together():
    marks = scored([0, 1], [(5, 0), (5, 1)], [(5, 0)])
    froc = resample_froc(marks, (0.4, 0.5), 100, 0)
    assert [found.estimate for found in froc.sensitivity] == [0, 1]


def test_set_without_any_mark_finds_nothing():
    froc = resample_froc(scored([0, 1], [(-INF, 0)], []), FROC_RATES, 100, 0)
    assert [found.estimate for found in froc.sensitivity] == [0] * 7
    assert froc.area.estimate == 0


def test_set_without_a_lesion_has_no_sensitivity():
    froc = resample_froc(scored([0, 1], [], [(3, 0)]), FROC_RATES, 100, 0)
    assert all(math.isnan(found.estimate) for found in (*froc.sensitivity, froc.area))


def random_marks(rng: np.random.Generator) -> ScoredMarks:
    patients = 12
    images = [*range(patients), *rng.integers(0, patients, 8).tolist()]
    lesions = rng.integers(0, patients, 9).tolist()
    false_marks = rng.integers(0, patients, 40).tolist()
    found = [-INF if rng.random() < 0.2 else float(rng.integers(0, 20)) for _ in lesions]
    return scored(
        images,
        list(zip(found, lesions, strict=True)),
        [(float(rng.integers(0, 15)), patient) for patient in false_marks],
    )


def test_estimates_draws_and_influences_equal_the_definition():
    rng = np.random.default_rng(0)
    rates = (0.1, 0.5, 1.0, 1.5)
    for _ in range(5):
        marks = random_marks(rng)
        froc = resample_froc(marks, rates, 40, 7)
        (drawn,) = multiplicities(12, 40, 7, 1)
        everyone = np.ones(12)
        for rate, found in zip(rates, froc.sensitivity, strict=True):
            whole = curve_by_definition(marks, everyone, rate)
            assert found.estimate == pytest.approx(whole)
            by_draw = [curve_by_definition(marks, weights, rate) for weights in drawn]
            assert found.draws == pytest.approx(by_draw)
            without = [curve_by_definition(marks, everyone - row, rate) for row in np.eye(12)]
            assert found.influence == pytest.approx(whole - np.array(without))


def test_area_equals_that_of_scikit_learn_below_the_steps():
    rng = np.random.default_rng(1)
    for _ in range(5):
        marks = random_marks(rng)
        images = marks.image_cluster.size
        rates = sorted({count / images for count in range(marks.false_score.size + 1)} | {1.5})
        rates = [rate for rate in rates if rate <= 1.5]
        height = [curve_by_definition(marks, np.ones(12), rate) for rate in rates]
        steps_x = np.repeat(rates, 2)[1:]
        steps_y = np.repeat(height, 2)[:-1]
        found = resample_froc(marks, (0.5, 1.5), 100, 0).area.estimate
        assert found == pytest.approx(auc(steps_x, steps_y) / 1.5)


def test_blocks_do_not_change_the_result(monkeypatch):
    marks = random_marks(np.random.default_rng(2))
    whole = resample_froc(marks, FROC_RATES, 150, 3)
    monkeypatch.setattr("elbow_core.evaluation.statistics.clusters.BLOCK_ELEMENTS", 40)
    parts = resample_froc(marks, FROC_RATES, 150, 3)
    for one, other in zip(whole.sensitivity, parts.sensitivity, strict=True):
        assert np.array_equal(one.draws, other.draws)


def test_mean_is_resampled_over_patients_with_all_their_images():
    values, clusters = np.array([1.0, 0.0, 0.5, 0.0]), np.array([0, 0, 1, 2])
    found = resample_mean(values, clusters, 50, 4)
    (drawn,) = multiplicities(3, 50, 4, 0)
    by_draw = [np.average(values, weights=weights[clusters]) for weights in drawn]
    assert found.estimate == pytest.approx(0.375)
    assert found.draws == pytest.approx(by_draw)
    # Sums of deviations from the mean, of four images.
    assert found.influence == pytest.approx([0.25 / 4, 0.125 / 4, -0.375 / 4])


def test_means_over_the_same_images_are_on_the_same_draws():
    rng = np.random.default_rng(5)
    values, clusters = rng.random(30), rng.integers(0, 10, 30)
    clusters[:10] = np.arange(10)
    one = resample_mean(values, clusters, 100, 0)
    moved = resample_mean(values - 0.25, clusters, 100, 0)
    assert one.draws - moved.draws == pytest.approx(0.25)
    assert one.influence == pytest.approx(moved.influence)
    interval = bca(one, 10)
    assert interval.low < values.mean() < interval.high
