"""The images of one study joined to one score: mean of logits, maximum, and a learnt join."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped
from scipy.special import expit

from elbow_core.evaluation.operating_points import OperatingPoint
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import DEFAULT, DEFAULT_THRESHOLD, choose_thresholds
from elbow_core.evaluation.statistics.calibration import fit_logistic, log_odds
from elbow_core.evaluation.studies.grouping import Studies, by_study

MEAN_OF_LOGITS, MAXIMUM, LEARNT = "mean of logits", "maximum", "learnt"
LEAST_STUDIES = 10
"""Validation studies of each class that the learnt join needs, and of a view that it weighs."""
PENALTY = 1.0

Views = Shaped[np.ndarray, " images"]


@dataclass(frozen=True, slots=True)
class LearntJoin:
    """Log-odds of a study: the mean of its logits, plus ``intercept`` and weighted terms.

    The terms are, by name: ``mean`` of the logits; ``maximum`` minus that mean; and for each of
    ``views`` ``view NAME``, the mean logit of the study's images of that view minus the mean, or 0
    where it has none. Studies without a view have an intercept and a slope of their own: ``no
    NAME`` is 1, and ``mean if no NAME`` the mean of the logits, for them, and both are 0 for the
    others. Without views the same holds for studies of ``one image``. A view that is not among
    ``views`` counts in mean and maximum alone.

    Reference: Fletcher Mercaldo and Blume, Biostatistics 21:236 (2020), for a model of each pattern
    of missing values; here the patterns share what the ridge penalty does not let them differ in.
    """

    intercept: float
    weights: Mapping[str, float]
    views: tuple[str, ...]
    studies: int
    """Validation studies that it was fitted on."""
    injured: int

    def score(
        self, studies: Studies, logits: Float64[np.ndarray, " images"], views: Views | None
    ) -> Float64[np.ndarray, " studies"]:
        """Return P(injury) of each study."""
        terms = _terms(studies, logits, views, self.views)
        added = sum(self.weights[name] * values for name, values in terms.items())
        return expit(studies.mean(logits) + self.intercept + added)


@dataclass(frozen=True, slots=True)
class JoinedStudies:
    """The studies of one model's predictions, with a score of each by each way to join.

    ``learnt`` is None, with a ``reason``, where it could not be fitted. ``points`` are frozen: of
    each way its ``default`` and, with validation studies of both classes, those of
    `choose_thresholds` on them.
    """

    studies: Studies
    scores: Mapping[str, Float64[np.ndarray, " studies"]]
    points: Mapping[str, Mapping[str, OperatingPoint]]
    learnt: LearntJoin | None
    reason: str


def join_studies(
    predictions: Predictions,
    default: float = DEFAULT_THRESHOLD,
    validation: Predictions | None = None,
    views: Views | None = None,
    validation_views: Shaped[np.ndarray, " validation_images"] | None = None,
) -> JoinedStudies | None:
    """Join the images of each study; None if no image names its study.

    Everything that is fitted or chosen comes from ``validation``: no label of ``predictions`` is
    used. The learnt join is a logistic regression with a ridge penalty of `PENALTY` on all its
    terms but the intercept, so that few studies leave it near the mean of logits. It weighs views
    only where both sets name theirs ("" is an unknown view).

    Args:
        predictions: of the judged set.
        default: the model's own default threshold, for the mean and the maximum; that of the learnt
            join, whose scores are fitted anew, is 0.5.
        validation: the model's predictions of its validation set.
        views: the view of each judged image.
        validation_views: the view of each validation image.
    """
    studies = by_study(predictions)
    if studies is None:
        return None
    own = None if validation is None else by_study(validation)
    logits = log_odds(predictions.score)
    scores = _plain(studies, predictions.score, logits)
    points = {
        name: {DEFAULT: OperatingPoint(threshold, "fixed")}
        for name, threshold in (
            (MEAN_OF_LOGITS, default),
            (MAXIMUM, default),
            (LEARNT, DEFAULT_THRESHOLD),
        )
    }
    reason = _reason_without_fit(validation is not None, own)
    if validation is None or own is None or not 0 < own.label.sum() < own.label.size:
        return JoinedStudies(studies, scores, _of(points, scores), None, reason)
    own_logits = log_odds(validation.score)
    own_scores = _plain(own, validation.score, own_logits)
    learnt = None
    if not reason:
        known = _known_views(own, validation_views) if views is not None else ()
        learnt = _fit(own, own_logits, validation_views, known)
        if learnt is None:
            reason = "its regression does not converge"
        else:
            scores[LEARNT] = learnt.score(studies, logits, views)
            own_scores[LEARNT] = learnt.score(own, own_logits, validation_views)
    for name, of_validation in own_scores.items():
        chosen = choose_thresholds(own.label, of_validation)
        points[name] |= {
            point: OperatingPoint(threshold, "validation") for point, threshold in chosen.items()
        }
    return JoinedStudies(studies, scores, _of(points, scores), learnt, reason)


def _plain(
    studies: Studies, scores: Float64[np.ndarray, " images"], logits: Float64[np.ndarray, " images"]
) -> dict[str, Float64[np.ndarray, " studies"]]:
    """Return the scores of the two ways that nothing is fitted for."""
    highest = studies.highest(scores)
    # A study of one image keeps its score: a threshold must divide it as it divides its image.
    mean = np.where(studies.images == 1, highest, expit(studies.mean(logits)))
    return {MEAN_OF_LOGITS: mean, MAXIMUM: highest}


def _reason_without_fit(given: bool, own: Studies | None) -> str:
    if not given:
        return "it needs validation predictions (--validation)"
    if own is None:
        return "the validation predictions name no study"
    injured = int(own.label.sum())
    if min(injured, own.label.size - injured) < LEAST_STUDIES:
        return (
            f"it needs {LEAST_STUDIES} validation studies of each class, and there are {injured} "
            f"injured and {own.label.size - injured} normal"
        )
    return ""


def _known_views(studies: Studies, views: Views | None) -> tuple[str, ...]:
    """Return the views that enough studies have, by name."""
    if views is None:
        return ()
    found = {
        view: np.unique(studies.study[views == view]).size
        for view in sorted(set(views.tolist()) - {""})
    }
    return tuple(view for view, count in found.items() if count >= LEAST_STUDIES)


def _terms(
    studies: Studies,
    logits: Float64[np.ndarray, " images"],
    views: Views | None,
    known: tuple[str, ...],
) -> dict[str, Float64[np.ndarray, " studies"]]:
    mean = studies.mean(logits)
    terms = {"mean": mean, "maximum": studies.highest(logits) - mean}
    for view in known:
        of = np.zeros(logits.size, bool) if views is None else views == view
        count = np.bincount(studies.study[of], minlength=mean.size)
        total = np.bincount(studies.study[of], weights=logits[of], minlength=mean.size)
        terms[f"view {view}"] = np.where(count > 0, total / np.maximum(count, 1) - mean, 0.0)
        terms |= _where(f"no {view}", count == 0, mean)
    return terms if known else terms | _where("one image", studies.images == 1, mean)


def _where(
    name: str, of: Bool[np.ndarray, " studies"], mean: Float64[np.ndarray, " studies"]
) -> dict[str, Float64[np.ndarray, " studies"]]:
    """Return the terms that move and stretch the log-odds of some studies alone."""
    return {name: of.astype(np.float64), f"mean if {name}": np.where(of, mean, 0.0)}


def _fit(
    studies: Studies,
    logits: Float64[np.ndarray, " images"],
    views: Views | None,
    known: tuple[str, ...],
) -> LearntJoin | None:
    terms = _terms(studies, logits, views, known)
    design = np.stack([np.ones(studies.label.size), *terms.values()], axis=1)
    penalty = np.array([0.0, *[PENALTY] * len(terms)])
    found = fit_logistic(design, studies.label == 1, studies.mean(logits), penalty)
    if found is None:
        return None
    return LearntJoin(
        intercept=float(found[0]),
        weights=dict(zip(terms, found[1:].tolist(), strict=True)),
        views=known,
        studies=studies.label.size,
        injured=int(studies.label.sum()),
    )


def _of(
    points: Mapping[str, Mapping[str, OperatingPoint]], scores: Mapping[str, np.ndarray]
) -> dict[str, Mapping[str, OperatingPoint]]:
    return {name: points[name] for name in scores}
