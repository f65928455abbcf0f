"""Alignment of several models' predictions on the same images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions


def align(predictions: Sequence[Predictions]) -> list[Predictions]:
    """Return the predictions with every file's rows in the first file's order, under its ids.

    Ids are compared by `Predictions.keys`: files from a Mac and from Windows name one image in two
    ways. Raises `PredictionsError` if two files cover different images, give one image two labels,
    patients or studies, or name the same model.
    """
    if not predictions:
        raise PredictionsError("no predictions to compare")
    first = predictions[0]
    aligned = [first]
    for other in predictions[1:]:
        if other.model in (known.model for known in aligned):
            raise PredictionsError(
                f"{other.path or other.model}: the model {other.model!r} is in two files; "
                "give each its own name in the column model, or with --names"
            )
        aligned.append(_in_order(first, other))
    return aligned


def _in_order(first: Predictions, other: Predictions) -> Predictions:
    images, other_images = first.keys("image_id"), other.keys("image_id")
    for here, there, absent in (
        (first, other, ~np.isin(images, other_images)),
        (other, first, ~np.isin(other_images, images)),
    ):
        if absent.any():
            row = int(np.argmax(absent))
            raise PredictionsError(
                f"{here.where(row)}: image {str(here.image_id[row])!r} is not in "
                f"{there.path or there.model}; files of one report must cover the same images"
            )
    order = np.argsort(other_images)[np.argsort(np.argsort(images))]
    for column, differ in (
        ("label", first.label != other.label[order]),
        ("patient_id", first.keys("patient_id") != other.keys("patient_id")[order]),
        ("study_id", first.keys("study_id") != other.keys("study_id")[order]),
    ):
        ours, theirs = getattr(first, column), getattr(other, column)[order]
        if differ.any():
            row = int(np.argmax(differ))
            raise PredictionsError(
                f"{other.where(int(order[row]))}: image {str(first.image_id[row])!r} has {column} "
                f"{str(theirs[row])!r}, but {str(ours[row])!r} at {first.where(row)}"
            )
    return replace(
        other,
        image_id=first.image_id,
        patient_id=first.patient_id,
        study_id=first.study_id,
        label=other.label[order],
        score=other.score[order],
        prediction=other.prediction[order],
        answer=None if other.answer is None else other.answer[order],
        lines=None if other.lines is None else other.lines[order],
    )
