"""Images grouped by study, the unit that a radiologist reports on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from elbow_core.evaluation.predictions import Predictions


@dataclass(frozen=True, slots=True)
class Studies:
    """One row per study, and the study of each image.

    A study is injured if any of its images is; ``mixed`` counts the studies with images of both
    labels.
    """

    patient_id: Shaped[np.ndarray, " studies"]
    label: Int64[np.ndarray, " studies"]
    images: Int64[np.ndarray, " studies"]
    """Images of each study."""
    study: Int64[np.ndarray, " images"]
    """Each image's study, as a place in the other columns."""
    mixed: int

    def mean(self, values: Float64[np.ndarray, " images"]) -> Float64[np.ndarray, " studies"]:
        """Return the mean of each study's values."""
        return np.bincount(self.study, weights=values, minlength=self.images.size) / self.images

    def highest(self, values: Float64[np.ndarray, " images"]) -> Float64[np.ndarray, " studies"]:
        """Return the maximum of each study's values."""
        found = np.full(self.images.size, -np.inf)
        np.maximum.at(found, self.study, values)
        return found


def by_study(predictions: Predictions) -> Studies | None:
    """Group images by study; None if no image names its study.

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
        ],
        np.int64,
    )
    _, first = np.unique(study, return_index=True)
    images = np.bincount(study)
    injured = np.bincount(study, weights=predictions.label.astype(np.float64))
    return Studies(
        patient_id=predictions.patient_id[first],
        label=(injured > 0).astype(np.int64),
        images=images,
        study=study,
        mixed=int(np.count_nonzero((injured > 0) & (injured < images))),
    )
