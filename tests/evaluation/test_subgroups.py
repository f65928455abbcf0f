"""Subgroups from the manifest and their metrics."""

import math

import numpy as np
import pytest

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.statistics import binary_metrics
from elbow_core.evaluation.subgroups import (
    MOST_GROUPS,
    OTHERS,
    attributes_of,
    group_metrics,
    groups_of,
)
from tests.support.scores import predictions_of, simulated_scores


def row(image_id: str, label: int, finding: str = "", view: str = "ap") -> ManifestRow:
    return ManifestRow(
        image_id, f"{image_id}.png", label, "test", "p", "", view, "elbow", finding, ""
    )


def test_hardware_is_read_from_the_finding_and_unknown_stays_unknown():
    predictions = predictions_of(["a", "b", "c"], [""] * 3, [""] * 3, [1, 0, 0], [0.9, 0.2, 0.3])
    rows = [row("c", 0), row("b", 0, "treated, Hardware"), row("a", 1, "fracture", "")]
    attributes = attributes_of(predictions, rows)
    assert attributes["hardware"].tolist() == ["absent", "present", "unknown"]
    assert attributes["view"].tolist() == ["unknown", "ap", "ap"]
    # An attribute with one value, like body part and source here, makes no subgroups.
    assert {attribute for attribute, _, _ in groups_of(attributes)} == {
        "view",
        "hardware",
        "finding",
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [([row("a", 1)], "'b' is not in the manifest"), ([row("a", 1), row("b", 1)], "but 1 in")],
)
def test_manifest_with_other_images_or_labels_is_refused(rows, message):
    predictions = predictions_of(["a", "b"], ["", ""], ["", ""], [1, 0], [0.9, 0.2])
    with pytest.raises(PredictionsError, match=message):
        attributes_of(predictions, rows)


def test_groups_hold_every_image_once_and_combine_the_smallest():
    column = np.array([f"finding {k % 50}" if k < 200 else "common" for k in range(300)])
    groups = groups_of({"finding": column})
    assert len(groups) == MOST_GROUPS
    assert groups[0][1] == "common"
    assert groups[-1][1] == OTHERS
    assert np.sum([of for _, _, of in groups], axis=0).tolist() == [1] * 300


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
