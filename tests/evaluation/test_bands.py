"""Bands, studies and subgroups against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, roc_curve

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.evaluation import Predictions
from elbow_core.evaluation.statistics import (
    THRESHOLD_PROBABILITIES,
    area_interval,
    auroc,
    binary_metrics,
    net_benefit_band,
    roc_and_precision_bands,
    treat_all,
)
from elbow_core.evaluation.statistics.bands import GRID
from elbow_core.evaluation.studies import by_study
from elbow_core.evaluation.subgroups import (
    MOST_GROUPS,
    OTHERS,
    attributes_of,
    group_metrics,
    groups_of,
)


def drawn(seed: int, n: int, levels: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    labels[:2] = 0, 1
    scores = 1 / (1 + np.exp(-rng.normal(2 * labels - 1, 1.2)))
    return labels, np.round(scores * levels) / levels if levels else scores


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.sampled_from([0, 4]))
def test_curves_on_the_grid_equal_scikit_learns_curves(seed, n, levels):
    labels, scores = drawn(seed, n, levels)
    roc, precision = roc_and_precision_bands(labels, scores, np.arange(n), draws=5)
    false_rate, true_rate, _ = roc_curve(labels, scores, drop_intermediate=False)
    # From the highest threshold down, without the point (0, 1) that scikit-learn appends.
    precisions, recall = (curve[:-1][::-1] for curve in precision_recall_curve(labels, scores)[:2])
    for index, x in enumerate(GRID):
        assert roc.y[index] == pytest.approx(true_rate[false_rate <= x + 1e-9].max())
        # Of several thresholds with this recall the highest counts: the first along the curve.
        assert precision.y[index] == pytest.approx(precisions[recall >= x - 1e-9][0])


def test_bands_contain_their_curve_and_narrow_with_more_patients():
    width = []
    for n in (200, 3200):
        labels, scores = drawn(1, n)
        for band in roc_and_precision_bands(labels, scores, np.arange(n), draws=400):
            inner = slice(10, 90)
            assert (band.low[inner] <= band.y[inner] + 0.02).all()
            assert (band.high[inner] >= band.y[inner] - 0.02).all()
            width.append(np.mean(band.high[inner] - band.low[inner]))
    assert width[2] < 0.35 * width[0]
    assert width[3] < 0.35 * width[1]


def test_one_class_has_no_curve():
    roc, precision = roc_and_precision_bands(
        np.ones(5, int), np.linspace(0, 1, 5), np.arange(5), draws=5
    )
    assert np.isnan(roc.y).all()
    assert np.isnan(precision.low).all()


def test_net_benefit_equals_its_definition():
    labels, scores = drawn(2, 300)
    band = net_benefit_band(labels, scores, np.arange(300), draws=200)
    for chance in (0.05, 0.2, 0.5, 0.8):
        found = binary_metrics(labels, scores, chance)
        expected = (found["tp"] - found["fp"] * chance / (1 - chance)) / found["n"]
        index = int(np.argmin(np.abs(THRESHOLD_PROBABILITIES - chance)))
        assert band.y[index] == pytest.approx(expected)
        assert band.low[index] < expected < band.high[index]
    everyone = net_benefit_band(labels, np.ones(300), np.arange(300), draws=2)
    np.testing.assert_allclose(everyone.y, treat_all(float(labels.mean())), atol=1e-12)
    np.testing.assert_array_equal(
        net_benefit_band(labels, np.zeros(300), np.arange(300), draws=2).y, 0
    )


def scored(image: list[str], patient: list[str], study: list[str], label, score) -> Predictions:
    score = np.array(score, np.float64)
    return Predictions(
        np.array(image),
        np.array(patient),
        np.array(study),
        np.array(label),
        score,
        (score >= 0.5).astype(np.int64),
        "m",
    )


def test_equal_study_names_of_two_patients_are_two_studies():
    studies = by_study(
        scored(
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
    assert by_study(scored(["a", "b"], ["p", "q"], ["", ""], [0, 1], [0.1, 0.2])) is None


def row(image_id: str, label: int, finding: str = "", view: str = "ap") -> ManifestRow:
    return ManifestRow(
        image_id, f"{image_id}.png", label, "test", "p", "", view, "elbow", finding, ""
    )


def test_hardware_is_read_from_the_finding_and_unknown_stays_unknown():
    predictions = scored(["a", "b", "c"], [""] * 3, [""] * 3, [1, 0, 0], [0.9, 0.2, 0.3])
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
    predictions = scored(["a", "b"], ["", ""], ["", ""], [1, 0], [0.9, 0.2])
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
    labels, scores = drawn(3, 200)
    of = np.arange(200) % 3 == 0
    found = group_metrics(labels[of], scores[of], scores[of] >= 0.5, np.arange(200)[of])
    expected = binary_metrics(labels[of], scores[of])
    for name, value in found.values.items():
        assert value == pytest.approx(expected[name])
        assert found.intervals[name].low < value < found.intervals[name].high


def test_group_of_one_class_has_reasons_in_place_of_metrics():
    found = group_metrics(np.ones(4, int), np.linspace(0, 1, 4), np.ones(4, int), np.arange(4))
    assert math.isnan(found.values["specificity"])
    assert math.isnan(found.values["auroc"])
    assert found.intervals["specificity"].reason == found.intervals["auroc"].reason
    assert "no normal" in found.intervals["auroc"].reason


def test_area_interval_is_within_0_and_1_and_contains_the_area():
    labels, scores = drawn(4, 80)
    low, high = area_interval(labels, scores, np.arange(80))
    assert 0 < low < auroc(labels, scores) < high < 1
    assert all(map(math.isnan, area_interval(labels, labels.astype(float))))
