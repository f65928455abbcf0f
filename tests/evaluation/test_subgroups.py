"""Metrics of subgroups, and how they enter a report."""

import math

import numpy as np
import pytest

from elbow_core.evaluation.statistics import binary_metrics
from elbow_core.evaluation.statistics.groups import area_gap, proportion_gap
from elbow_core.evaluation.subgroups import group_gaps, group_metrics
from elbow_core.evaluation.subgroups.metrics import GAP_METRICS
from tests.support.scores import simulated_scores


def test_metrics_of_a_group_are_those_of_its_images_alone():
    labels, scores = simulated_scores(3, 200)
    of = np.arange(200) % 3 == 0
    found = group_metrics(labels[of], scores[of], scores[of] >= 0.5, np.arange(200)[of])
    expected = binary_metrics(labels[of], scores[of])
    for name, value in found.values.items():
        assert value == pytest.approx(expected[name])
        assert found.intervals[name].low < value < found.intervals[name].high


@pytest.mark.parametrize(
    ("labels", "scores", "patients", "reason"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], [0, 1, 2, 3], "the scores separate the classes"),
        ([0, 0, 1, 1], [0.8, 0.9, 0.1, 0.2], [0, 1, 2, 3], "the scores separate the classes"),
        ([0, 0, 1, 1], [0.1, 0.8, 0.2, 0.9], [0, 1, 2, 2], "fewer than two patients of a class"),
        ([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], [0, 1, 2, 3], "the area has no variance"),
    ],
)
def test_missing_area_interval_has_its_own_reason(labels, scores, patients, reason):
    labels, scores = np.array(labels), np.array(scores)
    found = group_metrics(labels, scores, (scores >= 0.5).astype(int), np.array(patients))
    assert math.isnan(found.intervals["auroc"].low)
    assert found.intervals["auroc"].reason == reason


def test_group_of_one_class_has_reasons_in_place_of_metrics():
    found = group_metrics(np.ones(4, int), np.linspace(0, 1, 4), np.ones(4, int), np.arange(4))
    assert math.isnan(found.values["specificity"])
    assert math.isnan(found.values["auroc"])
    assert found.intervals["specificity"].reason == found.intervals["auroc"].reason
    assert "no normal" in found.intervals["auroc"].reason


def test_gaps_of_groups_are_those_of_the_statistics_on_the_images_of_each_class():
    labels, scores = simulated_scores(5, 300)
    groups, patients = np.arange(300) % 3, np.arange(300) // 2
    predicted = scores >= 0.5
    found = group_gaps(labels, scores, predicted, groups, patients, seed=4)
    assert tuple(found) == GAP_METRICS
    injured = labels == 1
    assert found["auroc"] == area_gap(labels, scores, groups, patients, 4)
    assert found["sensitivity"] == proportion_gap(
        predicted[injured], groups[injured], patients[injured], 4
    )
    assert found["specificity"] == proportion_gap(
        ~predicted[~injured], groups[~injured], patients[~injured], 4
    )
