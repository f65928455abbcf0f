"""Images grouped by study."""

import numpy as np
import pytest

from elbow_core.evaluation.studies import by_study
from tests.support.scores import predictions_of


def test_equal_study_names_of_two_patients_are_two_studies():
    found = predictions_of(
        ["a", "b", "c", "d", "e"],
        ["p", "p", "q", "q", "q"],
        ["study1", "study1", "study1", "", ""],
        [0, 1, 0, 0, 1],
        [0.2, 0.6, 0.3, 0.4, 0.9],
    )
    studies = by_study(found)
    assert studies is not None
    assert studies.patient_id.tolist() == ["p", "q", "q", "q"]
    assert studies.study.tolist() == [0, 0, 1, 2, 3]
    assert studies.label.tolist() == [1, 0, 0, 1]
    assert studies.images.tolist() == [2, 1, 1, 1]
    assert studies.mixed == 1
    assert studies.mean(found.score).tolist() == pytest.approx([0.4, 0.3, 0.4, 0.9])
    assert studies.highest(found.score).tolist() == [0.6, 0.3, 0.4, 0.9]
    assert studies.highest(np.log(found.score)).tolist() == np.log([0.6, 0.3, 0.4, 0.9]).tolist()


def test_predictions_without_studies_have_none():
    assert by_study(predictions_of(["a", "b"], ["p", "q"], ["", ""], [0, 1], [0.1, 0.2])) is None
