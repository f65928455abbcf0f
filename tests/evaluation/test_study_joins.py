"""The ways to join the images of a study; everything fitted comes from validation alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from elbow_core.evaluation.report.content.studies import study_summary
from elbow_core.evaluation.statistics import auroc, choose_thresholds, clusters_of
from elbow_core.evaluation.statistics.calibration import fit_logistic
from elbow_core.evaluation.statistics.differences import delong, mcnemar
from elbow_core.evaluation.studies import MEAN_OF_LOGITS, join_studies
from elbow_core.evaluation.studies.joins import LEARNT, MAXIMUM, PENALTY
from tests.support.scores import predictions_of


def two_views(seed: int, studies: int, lateral_alone: float = 0.0):
    """Studies of AP and lateral; the lateral's score tells more, the AP's is noise at its worst.

    A share ``lateral_alone`` has no AP, and more of those are injured.
    """
    rng = np.random.default_rng(seed)
    alone = rng.random(studies) < lateral_alone
    injured = rng.random(studies) < np.where(alone, 0.8, 0.4)
    logits = {
        "lateral": rng.normal(3.0 * injured - 1.5, 1.0),
        "ap": rng.normal(0.6 * injured - 0.3, 1.5),
    }
    rows = [
        (f"s{seed}_{study}_{view}", f"s{seed}_{study}", int(injured[study]), logits[view][study])
        for study in range(studies)
        for view in (("lateral",) if alone[study] else ("ap", "lateral"))
    ]
    names, keys, labels, values = (list(column) for column in zip(*rows, strict=True))
    found = predictions_of(names, keys, keys, labels, expit(np.array(values)))
    return found, np.array([name.rsplit("_", 1)[1] for name in names])


def test_mean_of_logits_and_maximum_by_hand():
    found = predictions_of(
        ["a", "b", "c"], ["p", "p", "q"], ["s", "s", "s"], [0, 1, 0], [0.2, 0.8, 0.3]
    )
    joined = join_studies(found, 0.3)
    assert joined is not None
    assert joined.scores[MEAN_OF_LOGITS].tolist() == pytest.approx([0.5, 0.3])
    assert joined.scores[MAXIMUM].tolist() == [0.8, 0.3]
    # A study of one image is divided as its image is, at any threshold.
    assert joined.scores[MEAN_OF_LOGITS][1] == 0.3
    assert {name: list(points) for name, points in joined.points.items()} == {
        MEAN_OF_LOGITS: ["default"],
        MAXIMUM: ["default"],
    }
    assert joined.learnt is None
    assert joined.reason == "it needs validation predictions (--validation)"


def test_certain_scores_stay_scores():
    found = predictions_of(["a", "b"], ["p", "p"], ["s", "s"], [1, 1], [1.0, 1.0])
    joined = join_studies(found)
    assert joined is not None
    assert 0.999 < joined.scores[MEAN_OF_LOGITS][0] <= 1


def test_regression_equals_scikit_learn_with_its_penalty():
    rng = np.random.default_rng(2)
    terms = rng.normal(size=(300, 3))
    positive = rng.random(300) < expit(terms @ [1.0, -0.5, 0.0] + 0.3)
    theirs = LogisticRegression(C=1 / 2.0, tol=1e-10, max_iter=1000).fit(terms, positive)
    design = np.column_stack([np.ones(300), terms])
    ours = fit_logistic(design, positive, penalty=np.array([0.0, 2.0, 2.0, 2.0]))
    assert ours is not None
    assert ours.tolist() == pytest.approx(
        [*theirs.intercept_.tolist(), *theirs.coef_[0].tolist()], abs=1e-5
    )


def test_learnt_join_minimises_its_penalised_loss():
    """Against a general optimiser of the formula in the docstring."""
    validation, views = two_views(3, 60, lateral_alone=0.3)
    joined = join_studies(validation_like(4), 0.5, validation, two_views(4, 60)[1], views)
    assert joined is not None
    assert joined.learnt is not None
    assert joined.learnt.views == ("ap", "lateral")
    logits = logit(validation.score)
    by_study: dict[str, dict[str, float]] = {}
    labels: dict[str, int] = {}
    for name, view, value, label in zip(
        validation.patient_id.tolist(), views, logits, validation.label, strict=True
    ):
        by_study.setdefault(name, {})[view] = value
        labels[name] = label
    rows, offsets = [], []
    for found in by_study.values():
        mean = np.mean(list(found.values()))
        offsets.append(mean)
        row = [1.0, mean, max(found.values()) - mean]
        for view in ("ap", "lateral"):
            missing = view not in found
            row += [0.0 if missing else found[view] - mean, float(missing), mean * missing]
        rows.append(row)
    design, sign = np.array(rows), 2 * np.array(list(labels.values())) - 1

    def loss(weights):
        margin = sign * (design @ weights + offsets)
        return np.logaddexp(0, -margin).sum() + PENALTY * np.sum(weights[1:] ** 2) / 2

    expected = minimize(loss, np.zeros(9), method="BFGS", options={"gtol": 1e-8}).x
    ours = [joined.learnt.intercept, *joined.learnt.weights.values()]
    assert ours == pytest.approx(expected.tolist(), abs=1e-4)
    assert list(joined.learnt.weights) == [
        *("mean", "maximum", "view ap", "no ap", "mean if no ap"),
        *("view lateral", "no lateral", "mean if no lateral"),
    ]


def validation_like(seed: int):
    return two_views(seed, 60)[0]


def test_learnt_join_finds_the_view_that_tells_more():
    validation, validation_views = two_views(0, 400)
    test, views = two_views(1, 2000)
    joined = join_studies(test, 0.5, validation, views, validation_views)
    assert joined is not None
    assert joined.learnt is not None
    areas = {name: auroc(joined.studies.label, score) for name, score in joined.scores.items()}
    assert areas[LEARNT] > areas[MEAN_OF_LOGITS] + 0.02
    assert joined.learnt.weights["view lateral"] > 0 > joined.learnt.weights["view ap"]
    # Without views the join only knows mean and maximum, which favour neither view.
    blind = join_studies(test, 0.5, validation)
    assert blind is not None
    assert blind.learnt is not None
    assert list(blind.learnt.weights) == ["mean", "maximum", "one image", "mean if one image"]
    assert auroc(joined.studies.label, blind.scores[LEARNT]) < areas[LEARNT]


def test_missing_view_has_a_term_of_its_own():
    """Where a missing AP says something about the study, its term says so."""
    validation, views = two_views(5, 400, lateral_alone=0.4)
    joined = join_studies(validation_like(6), 0.5, validation, two_views(6, 60)[1], views)
    assert joined is not None
    assert joined.learnt is not None
    assert joined.learnt.weights["no ap"] > 0.3
    assert joined.learnt.weights["no lateral"] == 0  # of no study
    # A lateral alone tells more than the mean of two images, so its log-odds are stretched.
    assert joined.learnt.weights["mean if no ap"] > 0.1


def test_nothing_depends_on_the_labels_of_the_judged_set():
    validation, validation_views = two_views(0, 100, lateral_alone=0.2)
    test, views = two_views(1, 80, lateral_alone=0.2)
    first = join_studies(test, 0.5, validation, views, validation_views)
    other = replace(test, label=1 - test.label)
    second = join_studies(other, 0.5, validation, views, validation_views)
    assert first is not None
    assert second is not None
    assert first.learnt == second.learnt
    assert first.points == second.points
    for name, scores in first.scores.items():
        assert scores.tolist() == second.scores[name].tolist()


def test_thresholds_of_each_way_are_those_of_its_validation_studies():
    validation, _ = two_views(0, 100)
    joined = join_studies(two_views(1, 80)[0], 0.5, validation)
    own = join_studies(validation, 0.5, validation)
    assert joined is not None
    assert own is not None
    for name, points in joined.points.items():
        chosen = choose_thresholds(own.studies.label, own.scores[name])
        found = {point: value.threshold for point, value in points.items()}
        assert found == {"default": 0.5} | chosen
        assert points["youden"].chosen_on == "validation"


@pytest.mark.parametrize(
    ("studies", "named", "reason"),
    [
        (12, True, "it needs 10 validation studies of each class, and there are"),
        (100, False, "the validation predictions name no study"),
    ],
)
def test_missing_learnt_join_has_its_reason(studies, named, reason):
    validation, _ = two_views(0, studies)
    if not named:
        validation = replace(validation, study_id=np.full(len(validation), ""))
    joined = join_studies(two_views(1, 80)[0], 0.5, validation)
    assert joined is not None
    assert reason in joined.reason
    assert list(joined.scores) == [MEAN_OF_LOGITS, MAXIMUM]


def test_validation_of_one_class_freezes_the_default_threshold_alone():
    validation, _ = two_views(0, 40)
    joined = join_studies(
        two_views(1, 80)[0], 0.5, replace(validation, label=np.ones(len(validation), np.int64))
    )
    assert joined is not None
    assert list(joined.points[MAXIMUM]) == ["default"]
    assert "40 injured and 0 normal" in joined.reason


def test_summary_has_paired_differences_by_patient():
    validation, _ = two_views(0, 100)
    test, _ = two_views(1, 80)
    patients = np.array([f"p{int(name.split('_')[1]) // 2}" for name in test.patient_id])
    joined = join_studies(replace(test, patient_id=patients), 0.5, validation)
    assert joined is not None
    summary = study_summary(joined, 100, 0)
    assert (summary.studies, summary.several) == (80, 80)
    join, mean = summary.joins[MAXIMUM], summary.joins[MEAN_OF_LOGITS]
    assert join.differences is not None
    assert mean.differences is None
    clusters = clusters_of(joined.studies.patient_id)
    assert clusters.max() == 39
    labels = joined.studies.label
    pair = joined.scores[MAXIMUM], joined.scores[MEAN_OF_LOGITS]
    assert join.differences.auroc == delong(labels, *pair, clusters)
    right = [
        scores[labels == 1] >= found.operating_points["youden"].threshold
        for scores, found in zip(pair, (join, mean), strict=True)
    ]
    expected = mcnemar(right[0], right[1], clusters[labels == 1])
    assert join.differences.points["youden"]["sensitivity"] == expected
    sensitivity = join.operating_points["youden"].decisions.metrics["sensitivity"].value
    assert sensitivity == right[0].mean()
