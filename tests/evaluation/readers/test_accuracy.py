"""The accuracies of readers and their covariance, against deletion and against DeLong's test."""

import numpy as np
import pytest

from elbow_core.evaluation.statistics import auroc
from elbow_core.evaluation.statistics.differences import area_covariance, delong
from elbow_core.evaluation.statistics.multireader import (
    analyse_readers,
    reader_auroc,
    reader_differences,
    reader_sensitivity,
    reader_specificity,
)
from tests.support.reader_studies import area_by_pairs, areas_without_each_case, small_study


def test_areas_equal_the_share_of_pairs_in_order():
    study = small_study()
    found = reader_auroc(study.truth, study.ratings)
    for i, j in np.ndindex(found.values.shape):
        expected = area_by_pairs(study.truth, study.ratings[i, j])
        assert found.values[i, j] == pytest.approx(expected, abs=1e-14)
        assert auroc(study.truth, study.ratings[i, j]) == pytest.approx(expected, abs=1e-14)


def test_closed_form_of_the_jackknife_equals_deletion():
    study = small_study()
    deleted = areas_without_each_case(study.truth, study.ratings).reshape(8, -1)
    deviation = deleted - deleted.mean(axis=1, keepdims=True)
    cases = study.truth.size
    expected = (cases - 1) / cases * deviation @ deviation.T
    found = reader_auroc(study.truth, study.ratings).covariance.reshape(8, 8)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-16)


def test_delongs_covariance_equals_that_of_models():
    study = small_study()
    _, expected = area_covariance(study.truth, study.ratings.reshape(8, -1))
    found = reader_auroc(study.truth, study.ratings, "delong").covariance
    np.testing.assert_allclose(found.reshape(8, 8), expected, rtol=1e-10, atol=1e-16)


def test_one_readers_difference_is_delongs_test():
    study = small_study()
    accuracy = reader_auroc(study.truth, study.ratings, "delong")
    for reader, (estimate, p) in enumerate(reader_differences(accuracy, 0, 1)):
        expected = delong(study.truth, study.ratings[0, reader], study.ratings[1, reader])
        found = (estimate.value, estimate.low, estimate.high, p)
        wanted = (expected.estimate, expected.low, expected.high, expected.p)
        assert found == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("level", [1.0, 3.0])
def test_sensitivity_and_specificity_are_means_of_decisions(level):
    study = small_study()
    decisions = study.ratings >= level
    sensitivity = reader_sensitivity(study.truth, decisions)
    specificity = reader_specificity(study.truth, decisions)
    positive = decisions[..., study.truth == 1].reshape(8, -1).astype(float)
    negative = 1 - decisions[..., study.truth == 0].reshape(8, -1)
    for found, right in ((sensitivity, positive), (specificity, negative)):
        assert found.cases == right.shape[1]
        np.testing.assert_allclose(found.values.ravel(), right.mean(axis=1))
        np.testing.assert_allclose(
            found.covariance.reshape(8, 8), np.cov(right) / right.shape[1], atol=1e-16
        )


def test_area_of_decisions_is_the_mean_of_sensitivity_and_specificity():
    study = small_study()
    decisions = study.ratings >= 2
    area = reader_auroc(study.truth, decisions.astype(float)).values
    both = [of(study.truth, decisions).values for of in (reader_sensitivity, reader_specificity)]
    np.testing.assert_allclose(area, np.mean(both, axis=0))


def test_any_increasing_function_of_the_ratings_gives_the_same_analysis():
    study = small_study()
    found = [
        analyse_readers(reader_auroc(study.truth, ratings))
        for ratings in (study.ratings, np.exp(study.ratings) - 7)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([1, 0, 0, 0], "1 positive and 3 negative cases"),
        ([1, 1, 1, 1], "4 positive and 0 negative cases"),
        ([1, 1, 0, 2], "neither 0 nor 1"),
        ([1, 1, 0], "truth of 3 cases"),
    ],
)
def test_cases_of_one_class_alone_are_refused(truth, message):
    with pytest.raises(ValueError, match=message):
        reader_auroc(np.array(truth), np.zeros((2, 2, 4)))
