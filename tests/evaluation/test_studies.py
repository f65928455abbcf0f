"""Grouping of images by study."""

import pytest

from elbow_core.evaluation.studies import by_study
from tests.support.scores import predictions_of


def test_equal_study_names_of_two_patients_are_two_studies():
    studies = by_study(
        predictions_of(
            ["a", "b", "c", "d", "e"],
            ["p", "p", "q", "q", "q"],
            ["study1", "study1", "study1", "", ""],
            [0, 1, 0, 0, 1],
            [0.2, 0.6, 0.3, 0.4, 0.9],
        )
    )
    assert studies is not None
    assert studies.patient_id.tolist() == ["p", "q", "q", "q"]
    assert studies.mean.tolist() == pytest.approx([0.4, 0.3, 0.4, 0.9])
    assert studies.highest.tolist() == [0.6, 0.3, 0.4, 0.9]
    assert studies.label.tolist() == [1, 0, 0, 1]
    assert studies.images.tolist() == [2, 1, 1, 1]
    assert studies.mixed == 1


def test_predictions_without_studies_have_none():
    assert by_study(predictions_of(["a", "b"], ["p", "q"], ["", ""], [0, 1], [0.1, 0.2])) is None
