"""From images to studies: a study is what a radiologist reports on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from elbow_core.evaluation.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Studies:
    """One row a study; ``mean`` and ``highest`` are of its images' scores.

    A study is injured if any of its images is; ``mixed`` counts the studies whose images differ.
    """

    patient_id: Shaped[np.ndarray, " studies"]
    label: Int64[np.ndarray, " studies"]
    mean: Float64[np.ndarray, " studies"]
    highest: Float64[np.ndarray, " studies"]
    images: Int64[np.ndarray, " studies"]
    mixed: int


def by_study(predictions: Predictions) -> Studies | None:
    """Scores and labels by study; None if no image names its study.

    A study is known by its patient too, since names like ``study1`` recur from patient to patient.
    An image without a study is a study of its own.
    """
    if (predictions.study_id == "").all():
        return None
    keys: dict[tuple[str, str, int], int] = {}
    named = zip(predictions.patient_id.tolist(), predictions.study_id.tolist(), strict=True)
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
        # Rounding may carry a mean of ones above 1.
        mean=np.minimum(np.bincount(study, weights=predictions.score) / images, 1.0),
        highest=highest,
        images=images,
        mixed=int(np.count_nonzero((injured > 0) & (injured < images))),
    )
