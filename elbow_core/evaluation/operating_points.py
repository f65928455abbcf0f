"""Thresholds and temperature for a test set: given, or chosen on validation, never on the test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics.calibration import fit_temperature
from elbow_core.evaluation.statistics.thresholds import choose_thresholds

DEFAULT = "default"
DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and where it comes from: ``fixed``, ``validation`` or ``released model``."""

    threshold: float
    chosen_on: str


def operating_points(
    thresholds: Mapping[str, float] | None, validation: Predictions | None
) -> dict[str, OperatingPoint]:
    """The points to report one model at; the first is ``default``, 0.5 unless the model froze it.

    Frozen ``thresholds`` go before what ``validation`` would choose. Raises `PredictionsError` for
    validation predictions without both classes.
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


def temperature_of(validation: Predictions | None) -> float | None:
    """The temperature fitted on validation; None without validation."""
    if validation is None:
        return None
    return fit_temperature(_of_both_classes(validation).label, validation.score)


def validation_of(
    predictions: Sequence[Predictions], validation: Sequence[Predictions]
) -> dict[str, Predictions]:
    """Each model's validation predictions by model name.

    Raises `PredictionsError` for a model without one or one without a model, and where an image or
    a patient is in both validation and test.
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
                f"{model.model!r}; there are those of {', '.join(map(repr, by_model))}"
            )
    tested = predictions[0]
    names = {model.model for model in predictions}
    for found in validation:
        if found.model not in names:
            raise PredictionsError(
                f"{found.path or found.model}: validation of {found.model!r}, which is not reported"
            )
        for column, kind in (("image_id", "image"), ("patient_id", "patient")):
            values = getattr(found, column)
            shared = np.isin(values, getattr(tested, column)) & (values != "")
            if shared.any():
                row = int(np.argmax(shared))
                raise PredictionsError(
                    f"{found.where(row)}: {kind} {str(values[row])!r} is in the test set too; "
                    "thresholds chosen on the test set flatter the model"
                )
    return by_model


def _of_both_classes(validation: Predictions) -> Predictions:
    if len(np.unique(validation.label)) < 2:
        raise PredictionsError(
            f"{validation.path or validation.model}: validation needs images of both classes"
        )
    return validation
