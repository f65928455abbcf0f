"""Thresholds and temperature for a test set: released with the model, or chosen on validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import DEFAULT, DEFAULT_THRESHOLD, choose_thresholds
from elbow_core.evaluation.statistics.calibration import fit_temperature


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and its origin: ``fixed``, ``validation`` or ``released model``."""

    threshold: float
    chosen_on: str


def operating_points(
    thresholds: Mapping[str, float] | None, validation: Predictions | None
) -> dict[str, OperatingPoint]:
    """Return one model's operating points; the first is ``default``, 0.5 unless released otherwise.

    The ``thresholds`` of a released model take precedence over a choice on ``validation``. Raises
    `PredictionsError` for validation predictions without both classes.
    """
    points = {DEFAULT: OperatingPoint(DEFAULT_THRESHOLD, "fixed")}
    if thresholds is not None:
        return points | {
            name: OperatingPoint(float(value), "fixed" if name == DEFAULT else "released model")
            for name, value in thresholds.items()
        }
    if validation is not None:
        chosen = choose_thresholds(_of_both_classes(validation).label, validation.score)
        points |= {name: OperatingPoint(value, "validation") for name, value in chosen.items()}
    return points


def temperature_of(validation: Predictions) -> float:
    """Fit the temperature on validation, which must have both classes; see `fit_temperature`."""
    return fit_temperature(_of_both_classes(validation).label, validation.score)


def validation_of(
    predictions: Sequence[Predictions], validation: Sequence[Predictions]
) -> dict[str, Predictions]:
    """Return each model's validation predictions by model name.

    Raises `PredictionsError` unless each model has exactly one validation file and each file a
    model, and if an image or a patient is in both validation and test. Ids are compared by
    `Predictions.keys`, so that no spelling hides one.
    """
    by_model = {found.model: found for found in validation}
    if len(by_model) < len(validation):
        raise PredictionsError(f"{validation[-1].path}: a model's validation is given twice")
    if not validation:
        return {}
    for model in predictions:
        if model.model not in by_model:
            raise PredictionsError(
                f"{model.path or model.model}: no validation predictions of the model "
                f"{model.model!r}; given are {', '.join(map(repr, by_model))}"
            )
    tested = predictions[0]
    names = {model.model for model in predictions}
    for found in validation:
        if found.model not in names:
            raise PredictionsError(
                f"{found.path or found.model}: validation of {found.model!r}, which is not reported"
            )
        _refuse_shared(found, tested, "image_id", "image")
        _refuse_shared(found, tested, "patient_id", "patient")
    return by_model


def _refuse_shared(
    validation: Predictions,
    tested: Predictions,
    column: Literal["image_id", "patient_id"],
    kind: str,
) -> None:
    keys, tested_keys = validation.keys(column), tested.keys(column)
    shared = np.isin(keys, tested_keys) & (keys != "")
    if shared.any():
        row = int(np.argmax(shared))
        here = str(getattr(validation, column)[row])
        there = str(getattr(tested, column)[np.argmax(tested_keys == keys[row])])
        spelling = "" if here == there else f", written {there!a} there and {here!a} here"
        raise PredictionsError(
            f"{validation.where(row)}: {kind} {here!r} is in the test set too{spelling}; "
            "thresholds chosen on the test set bias its metrics upwards"
        )


def _of_both_classes(validation: Predictions) -> Predictions:
    if len(np.unique(validation.label)) < 2:
        raise PredictionsError(
            f"{validation.path or validation.model}: validation needs images of both classes"
        )
    return validation
