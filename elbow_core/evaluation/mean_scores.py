"""The plain mean of several models' calibrated scores: the baseline of every fusion."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.operating_points import temperature_of
from elbow_core.evaluation.pairing import align
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import DEFAULT_THRESHOLD
from elbow_core.evaluation.statistics.calibration import apply_temperature

MEAN = "mean of calibrated scores"
"""The name of the mean among the models of a report."""


def reason_without_mean(
    members: Sequence[Predictions], validation: Mapping[str, Predictions]
) -> str:
    """Return why the mean of these models cannot be computed; empty if it can.

    It needs two models or more, and validation predictions of them all on the same images: each
    model's temperature is fitted there, and the thresholds of the mean are chosen there.
    """
    if len(members) < 2:
        return f"it needs two single models or more, and there is {len(members) or 'none'}"
    if not validation:
        return "it needs validation predictions (--validation) to calibrate each model"
    try:
        align([validation[model.model] for model in members])
    except PredictionsError:
        return (
            "the models' validation predictions differ in their images, or in the label, patient "
            "or study of one"
        )
    return ""


def mean_of_calibrated(
    members: Sequence[Predictions], validation: Mapping[str, Predictions]
) -> tuple[Predictions, Predictions]:
    """Return the mean of the members' calibrated scores, on the test and on the validation set.

    Each member's scores are calibrated by temperature scaling, with the temperature that its own
    validation predictions give; no label of the test set is used. ``members`` are aligned; the
    validation predictions, by model name, are aligned here. ``prediction`` is at 0.5. Raises
    `PredictionsError` where `reason_without_mean` gives a reason, and for a validation set without
    both classes.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML (2017), for the
    temperature; Lakshminarayanan et al., Simple and Scalable Predictive Uncertainty Estimation,
    NeurIPS (2017), for the mean of probabilities.
    """
    if reason := reason_without_mean(members, validation):
        raise PredictionsError(f"no {MEAN}: {reason}")
    of_validation = [validation[model.model] for model in members]
    temperatures = [temperature_of(found) for found in of_validation]
    return _mean(members, temperatures), _mean(align(of_validation), temperatures)


def _mean(members: Sequence[Predictions], temperatures: Sequence[float]) -> Predictions:
    score = np.mean(
        [
            apply_temperature(model.score, temperature)
            for model, temperature in zip(members, temperatures, strict=True)
        ],
        axis=0,
    )
    return replace(
        members[0],
        score=score,
        prediction=(score >= DEFAULT_THRESHOLD).astype(np.int64),
        model=MEAN,
        answer=None,
        path="",
        lines=None,
    )
