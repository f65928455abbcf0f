"""A model on images from elsewhere: what is lost, and what recalibration would give back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import auroc, clusters_of
from elbow_core.evaluation.statistics.calibration import (
    calibration_line,
    expected_calibration_error,
    fit_recalibration,
    recalibrate,
)
from elbow_core.evaluation.statistics.differences import (
    Difference,
    difference_of_areas,
    difference_of_proportions,
)

PROPORTIONS = ("sensitivity", "specificity", "accuracy")
FITTED_SHARE = 0.5
"""Patients of the external set on which recalibration is fitted."""
AS_IS, INTERCEPT, BOTH = "as they are", "intercept", "intercept and slope"


@dataclass(frozen=True, slots=True)
class SetCalibration:
    """Calibration of scores on one set: observed over expected injuries, line, errors."""

    observed_to_expected: float
    intercept: float
    slope: float
    brier: float
    ece: float


@dataclass(frozen=True, slots=True)
class Recalibration:
    """One way of recalibration, fitted on some patients and judged on the rest.

    ``intercept`` and ``slope`` are applied to the log-odds; all is nan where they have no fit.
    """

    name: str
    intercept: float
    slope: float
    calibration: SetCalibration


@dataclass(frozen=True, slots=True)
class ExternalValidation:
    """Internal beside external: differences are internal minus external.

    ``differences`` has ``auroc`` and, at the frozen threshold, `PROPORTIONS`. ``recalibrations``
    are fitted on ``fitted`` images and judged on ``rest``, of ``rest_patients`` patients.
    """

    images: int
    injured: int
    patients: int
    threshold: float
    internal: dict[str, float]
    external: dict[str, float]
    differences: dict[str, Difference]
    internal_calibration: SetCalibration
    external_calibration: SetCalibration
    recalibrations: tuple[Recalibration, ...]
    fitted: int
    rest: int
    rest_patients: int


def set_pairs(
    predictions: Sequence[Predictions],
    internal: Sequence[Predictions] = (),
    external: Sequence[Predictions] = (),
) -> dict[str, tuple[Predictions, Predictions]]:
    """Return the internal and the external set of each model that has both, by model name.

    ``predictions`` are of the external sets where ``internal`` ones are given beside them, and of
    the internal sets where ``external`` ones are.

    Raises `PredictionsError` for a set of a model that is not judged, or given twice, and where
    both kinds are given.
    """
    if internal and external:
        raise PredictionsError(
            "internal and external sets are given; the judged images are one of the two"
        )
    kind = "internal" if internal else "external"
    judged = {model.model: model for model in predictions}
    found: dict[str, tuple[Predictions, Predictions]] = {}
    for other in (*internal, *external):
        if other.model not in judged:
            raise PredictionsError(
                f"{other.where(0)}: {kind} set of {other.model!r}, which is not reported; the "
                f"models are {', '.join(map(repr, judged))}"
            )
        if other.model in found:
            raise PredictionsError(f"{other.where(0)}: a second {kind} set of {other.model!r}")
        own = judged[other.model]
        found[other.model] = (other, own) if internal else (own, other)
    return found


def validate_externally(
    internal: Predictions, external: Predictions, threshold: float, seed: int = 0
) -> ExternalValidation:
    """Compare a model's predictions of an internal and an external set at a frozen threshold.

    The sets are taken to share no patient: ids of two hospitals cannot be compared. Recalibration
    is fitted on half of the external patients, drawn with ``seed``, and judged on the others.

    Raises `PredictionsError` if the two are of different models, or share an image's id together
    with its patient's and study's, which is no coincidence.
    """
    if internal.model != external.model:
        raise PredictionsError(
            f"{external.where(0)}: is of the model {external.model!r}, and the internal set of "
            f"{internal.model!r}; give the predictions of one model"
        )
    refuse_shared_images(internal, external)
    sets = [(found, clusters_of(found.patient_id)) for found in (internal, external)]
    values = [_values(found, threshold) for found in (internal, external)]
    areas = [(found.label, found.score, clusters) for found, clusters in sets]
    differences = {"auroc": difference_of_areas(areas[0], areas[1])}
    for name in PROPORTIONS:
        parts = [_successes(found, clusters, threshold, name) for found, clusters in sets]
        differences[name] = difference_of_proportions(parts[0], parts[1])
    clusters = sets[1][1]
    fitted_on = _part(clusters, seed)
    return ExternalValidation(
        images=len(external),
        injured=int(external.label.sum()),
        patients=int(clusters.max()) + 1,
        threshold=threshold,
        internal=values[0],
        external=values[1],
        differences=differences,
        internal_calibration=set_calibration(internal.label, internal.score),
        external_calibration=set_calibration(external.label, external.score),
        recalibrations=_recalibrations(external, fitted_on),
        fitted=int(fitted_on.sum()),
        rest=int((~fitted_on).sum()),
        rest_patients=int(np.unique(clusters[~fitted_on]).size),
    )


def set_calibration(labels: np.ndarray, scores: np.ndarray) -> SetCalibration:
    """Return the calibration of scores on a set; nan where it is undefined, as without images."""
    if not labels.size:
        return SetCalibration(*[math.nan] * 5)
    line = calibration_line(labels, scores)
    expected = float(scores.sum())
    return SetCalibration(
        float(labels.sum()) / expected if expected else math.nan,
        line.intercept,
        line.slope,
        float(np.mean((scores - labels) ** 2)),
        expected_calibration_error(labels, scores),
    )


def refuse_shared_images(internal: Predictions, external: Predictions) -> None:
    """Raise `PredictionsError` where an image, its patient and its study are in both sets."""
    columns = ("image_id", "patient_id", "study_id")
    known = set(zip(*(internal.keys(column).tolist() for column in columns), strict=True))
    found = zip(*(external.keys(column).tolist() for column in columns), strict=True)
    shared = [row for row, ids in enumerate(found) if ids in known]
    if shared:
        raise PredictionsError(
            f"{external.where(shared[0])}: image {external.image_id[shared[0]]!r} is in the "
            f"internal set too, as {len(shared)} in all; an external set has other images"
        )


def _values(found: Predictions, threshold: float) -> dict[str, float]:
    clusters = np.arange(len(found))
    values = {"auroc": auroc(found.label, found.score)}
    for name in PROPORTIONS:
        successes, _ = _successes(found, clusters, threshold, name)
        values[name] = float(successes.mean()) if successes.size else math.nan
    return values


def _successes(
    found: Predictions, clusters: np.ndarray, threshold: float, name: str
) -> tuple[np.ndarray, np.ndarray]:
    positive, called = found.label == 1, found.score >= threshold
    of = {"sensitivity": positive, "specificity": ~positive}.get(name, np.ones_like(positive))
    return (positive == called)[of], clusters[of]


def _part(clusters: np.ndarray, seed: int) -> np.ndarray:
    """Return which images are of the patients on whom recalibration is fitted."""
    patients = int(clusters.max()) + 1
    drawn = np.random.default_rng(seed).permutation(patients)
    return np.isin(clusters, drawn[: round(FITTED_SHARE * patients)])


def _recalibrations(external: Predictions, fitted_on: np.ndarray) -> tuple[Recalibration, ...]:
    labels, scores = external.label[fitted_on], external.score[fitted_on]
    rest_labels, rest_scores = external.label[~fitted_on], external.score[~fitted_on]
    found = [Recalibration(AS_IS, 0.0, 1.0, set_calibration(rest_labels, rest_scores))]
    for name, with_slope in ((INTERCEPT, False), (BOTH, True)):
        line = fit_recalibration(labels, scores, with_slope) if labels.size else None
        if line is None:
            undefined = SetCalibration(*[math.nan] * 5)
            found.append(Recalibration(name, math.nan, math.nan, undefined))
            continue
        after = set_calibration(rest_labels, recalibrate(rest_scores, *line))
        found.append(Recalibration(name, *line, after))
    return tuple(found)
