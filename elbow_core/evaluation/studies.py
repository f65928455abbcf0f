"""Scores and labels per study, the unit that a radiologist reports on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from elbow_core.evaluation.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Studies:
    """One row per study; ``mean`` and ``highest`` are the mean and maximum of its images' scores.

    A study is injured if any of its images is; ``mixed`` counts the studies with images of both
    labels.
    """

    patient_id: Shaped[np.ndarray, " studies"]
    label: Int64[np.ndarray, " studies"]
    mean: Float64[np.ndarray, " studies"]
    highest: Float64[np.ndarray, " studies"]
    images: Int64[np.ndarray, " studies"]
    mixed: int


def by_study(predictions: Predictions) -> Studies | None:
    """Group scores and labels by study; None if no image names its study.

    Patient and study together identify a study, because names like ``study1`` occur for many
    patients; both are compared by `Predictions.keys`. An image without a study is one of its own.
    """
    patients, names = predictions.keys("patient_id"), predictions.keys("study_id")
    if (names == "").all():
        return None
    keys: dict[tuple[str, str, int], int] = {}
    named = zip(patients.tolist(), names.tolist(), strict=True)
    study = np.array(
        [
            keys.setdefault((patient, name, -1 if name else row), len(keys))
            for row, (patient, name) in enumerate(named)
        ]
    )
    _, first = np.unique(study, return_index=True)
    images = np.bincount(study)
    injured = np.bincount(study, weights=predictions.label.astype(np.float64))
    highest = np.zeros(images.size)
    np.maximum.at(highest, study, predictions.score)
    return Studies(
        patient_id=predictions.patient_id[first],
        label=(injured > 0).astype(np.int64),
        # The mean of ones may round to more than 1.
        mean=np.minimum(np.bincount(study, weights=predictions.score) / images, 1.0),
        highest=highest,
        images=images,
        mixed=int(np.count_nonzero((injured > 0) & (injured < images))),
    )
