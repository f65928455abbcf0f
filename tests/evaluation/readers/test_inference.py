"""Obuchowski and Rockette's analysis, against an ANOVA of pseudovalues and at its edges."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.stats import f, t

from elbow_core.evaluation.statistics.multireader import (
    POPULATIONS,
    ReaderAccuracy,
    analyse_readers,
    non_inferiority,
    reader_auroc,
    reader_components,
    reader_estimates,
)
from tests.support.reader_studies import dorfman_berbaum_metz, small_study


def accuracy_of(seed: int = 0, modalities: int = 2, readers: int = 4) -> ReaderAccuracy:
    study = small_study(seed, modalities, readers)
    return reader_auroc(study.truth, study.ratings)


@pytest.mark.parametrize("modalities", [2, 3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_test_equals_that_of_dorfman_berbaum_and_metz(seed, modalities):
    study = small_study(seed, modalities)
    found = analyse_readers(reader_auroc(study.truth, study.ratings)).equality
    ratio, df = dorfman_berbaum_metz(study.truth, study.ratings)
    assert (found.f, found.df2) == pytest.approx((ratio, df), rel=1e-9)
    assert found.p == pytest.approx(f.sf(ratio, modalities - 1, df), rel=1e-9)


@pytest.mark.parametrize("population", POPULATIONS)
def test_two_modalities_have_one_test(population):
    found = analyse_readers(accuracy_of(), population)
    (row,) = found.differences
    assert row.p == pytest.approx(found.equality.p, rel=1e-9)
    assert row.p_holm == row.p
    assert (row.estimate.value / row.estimate.error) ** 2 == pytest.approx(found.equality.f)


@pytest.mark.parametrize("population", POPULATIONS)
def test_interval_excludes_zero_exactly_where_p_is_below_its_level(population):
    for seed in range(6):
        accuracy = accuracy_of(seed)
        p = analyse_readers(accuracy, population).differences[0].p
        for confidence in (1 - p * 1.01, 1 - p * 0.99):
            row = analyse_readers(accuracy, population, confidence).differences[0]
            assert (row.estimate.low < 0 < row.estimate.high) is (p > 1 - confidence)


def test_fixed_readers_have_the_variance_of_their_mean_difference():
    accuracy = accuracy_of()
    contrast = np.repeat([0.25, -0.25], 4)
    variance = contrast @ accuracy.covariance.reshape(8, 8) @ contrast
    row = analyse_readers(accuracy, "fixed_readers").differences[0]
    assert row.estimate.error == pytest.approx(math.sqrt(variance), rel=1e-12)
    means = analyse_readers(accuracy, "fixed_readers").modalities
    of_first = accuracy.covariance[0, :, 0].mean()
    assert means[0].error == pytest.approx(math.sqrt(of_first), rel=1e-12)


def test_fixed_cases_have_the_paired_t_test_of_the_readers():
    accuracy = accuracy_of(seed=2)
    difference = accuracy.values[0] - accuracy.values[1]
    error = difference.std(ddof=1) / 2
    row = analyse_readers(accuracy, "fixed_cases").differences[0]
    assert row.estimate.error == pytest.approx(error)
    assert row.p == pytest.approx(2 * t.sf(abs(difference.mean()) / error, 3))


def test_pairs_share_an_error_and_are_adjusted_by_holm():
    found = analyse_readers(accuracy_of(modalities=4))
    assert [(row.first, row.second) for row in found.differences] == [
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3),
    ]  # fmt: skip
    assert len({row.estimate.error for row in found.differences}) == 1
    smallest = min(found.differences, key=lambda row: row.p)
    assert smallest.p_holm == pytest.approx(min(6 * smallest.p, 1))


def test_order_of_readers_does_not_matter_and_that_of_modalities_changes_the_sign():
    study = small_study()
    found = analyse_readers(reader_auroc(study.truth, study.ratings))
    readers = analyse_readers(reader_auroc(study.truth, study.ratings[:, ::-1]))
    flipped = analyse_readers(reader_auroc(study.truth, study.ratings[::-1]))
    assert readers.equality.f == pytest.approx(found.equality.f)
    assert flipped.equality.f == pytest.approx(found.equality.f)
    assert flipped.differences[0].estimate.value == -found.differences[0].estimate.value


def test_components_of_independent_errors_are_recovered():
    values = np.array([[0.8, 0.7, 0.9], [0.82, 0.75, 0.88]])
    covariance = np.zeros((2, 3, 2, 3))
    for i, j in np.ndindex(2, 3):
        for k, m in np.ndindex(2, 3):
            covariance[i, j, k, m] = {
                (True, True): 8e-4, (False, True): 4e-4, (True, False): 3e-4, (False, False): 1e-4
            }[i == k, j == m]  # fmt: skip
    found = reader_components(ReaderAccuracy("auroc", values, covariance, 50))
    assert (found.variance, found.cov1, found.cov2, found.cov3) == pytest.approx(
        (8e-4, 4e-4, 3e-4, 1e-4)
    )
    assert [(of.variance, of.cov2) for of in found.single] == [pytest.approx((8e-4, 3e-4))] * 2
    assert found.ms_modality == pytest.approx(3 * 0.5 * (values[0].mean() - values[1].mean()) ** 2)


def test_one_reader_has_an_analysis_of_this_reader_alone():
    accuracy = accuracy_of(readers=1)
    for population in ("random", "fixed_cases"):
        found = analyse_readers(accuracy, population)
        assert math.isnan(found.equality.p)
        assert math.isnan(found.differences[0].estimate.low)
        assert "one reader" in found.equality.reason == found.modalities[0].reason
    found = analyse_readers(accuracy, "fixed_readers")
    assert 0 < found.equality.p < 1
    assert found.modalities[0] == reader_estimates(accuracy)[0][0]


@pytest.mark.parametrize("population", POPULATIONS)
def test_one_modality_has_its_interval_and_no_comparison(population):
    study = small_study()
    both = analyse_readers(reader_auroc(study.truth, study.ratings), population)
    alone = analyse_readers(reader_auroc(study.truth, study.ratings[:1]), population)
    assert alone.differences == ()
    assert math.isnan(alone.equality.p)
    assert alone.equality.reason == "there is nothing to compare one modality with"
    for field in ("value", "error", "df", "low", "high"):
        found, expected = (getattr(of.modalities[0], field) for of in (alone, both))
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("population", POPULATIONS)
def test_equal_modalities_have_no_difference_and_no_test(population):
    study = small_study()
    ratings = np.stack([study.ratings[0], study.ratings[0]])
    found = analyse_readers(reader_auroc(study.truth, ratings), population)
    assert found.differences[0].estimate.value == 0
    assert math.isnan(found.equality.p)
    assert found.equality.reason == "the difference has no variance"
    assert found.modalities[0].low < found.modalities[0].high


def test_perfect_readers_have_no_interval_and_the_reason():
    study = small_study()
    ratings = np.broadcast_to(study.truth.astype(float), (2, 3, 25)).copy()
    found = analyse_readers(reader_auroc(study.truth, ratings))
    assert found.modalities[0].value == 1
    assert math.isnan(found.modalities[0].low)
    assert found.modalities[0].reason == "the metric has no variance"


def test_intervals_end_at_the_limits_of_the_metric():
    accuracy = accuracy_of()
    high = dataclasses.replace(accuracy, values=accuracy.values / accuracy.values.max() * 0.999)
    found = analyse_readers(high, confidence=0.9999)
    assert max(of.high for of in found.modalities) == 1


@pytest.mark.parametrize("margin", [0.01, 0.1, 0.3])
def test_non_inferiority_is_the_lower_end_of_the_interval_above_minus_the_margin(margin):
    for seed in range(6):
        accuracy = accuracy_of(seed)
        for reference in (0, 1):
            (row,) = non_inferiority(accuracy, reference, margin)
            difference = accuracy.values[1 - reference].mean() - accuracy.values[reference].mean()
            assert (row.modality, row.reference) == (1 - reference, reference)
            assert row.estimate.value == pytest.approx(difference)
            assert (row.p <= 0.025) is (row.estimate.low >= -margin)


def test_non_inferiority_of_several_modalities_is_adjusted():
    rows = non_inferiority(accuracy_of(modalities=3), 1, 0.1)
    assert [(row.modality, row.reference) for row in rows] == [(0, 1), (2, 1)]
    assert min(row.p_holm for row in rows) == pytest.approx(min(1, 2 * min(row.p for row in rows)))


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.0])
def test_impossible_margin_is_refused(margin):
    with pytest.raises(ValueError, match="is not above 0 and below 1"):
        non_inferiority(accuracy_of(), 0, margin)
