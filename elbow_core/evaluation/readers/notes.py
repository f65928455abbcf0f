"""What a user should know about the ratings of a study before trusting its intervals."""

from collections.abc import Mapping

import numpy as np

from elbow_core.evaluation.readers.cells import METRICS, number
from elbow_core.evaluation.readers.study import ReaderStudy
from elbow_core.evaluation.statistics.multireader import Population, ReaderAccuracy, ReaderMetric

# A variance below it is rounding; see `elbow_core.evaluation.statistics.differences.area_interval`.
_NO_VARIANCE = 1e-24

HIGHEST_LEVELS = {1: 0.128, 2: 0.078}
"""The highest probability, over all variance components, that the test for random readers and cases
rejects at 5 % without a difference, by the degrees of freedom of readers by modalities. From three
on it is below 0.065, and 0.05 at most for fixed readers or cases."""


def notes_on(
    study: ReaderStudy, accuracies: Mapping[ReaderMetric, ReaderAccuracy], population: Population
) -> tuple[str, ...]:
    """Return one sentence for each peculiarity.

    They are: too few readers, no variance, an AUROC below that of guessing.
    """
    found = []
    freedom = (len(study.readers) - 1) * (len(study.modalities) - 1)
    if population == "random" and freedom in HIGHEST_LEVELS:
        found.append(
            f"With {len(study.readers)} readers of {len(study.modalities)} modalities the test for "
            "random readers and cases may reject too often: where nothing differs, at 5 % in up to "
            f"{100 * HIGHEST_LEVELS[freedom]:.0f} % of studies."
        )
    for metric, accuracy in accuracies.items():
        for modality, reader in np.argwhere(_variances(accuracy) <= _NO_VARIANCE):
            ratings = study.ratings[modality, reader]
            who = f"Reader {study.readers[reader]} with modality {study.modalities[modality]}"
            what = (
                f"rates every case {ratings[0]:g}"
                if np.ptp(ratings) == 0
                else f"has no variance over the cases ({METRICS[metric]} "
                f"{number(float(accuracy.values[modality, reader]))})"
            )
            if metric == "auroc" or np.ptp(ratings) > 0:
                found.append(
                    f"{who} {what}, which counts as perfectly certain: intervals that rest on it "
                    "are too narrow."
                )
        if metric == "auroc":
            found += [
                f"The mean AUROC of modality {name} is {number(float(mean))}, below that of "
                "guessing: a higher rating must mean more suspicion of a positive case."
                for name, mean in zip(study.modalities, accuracy.values.mean(axis=1), strict=True)
                if mean < 0.5
            ]
    if len(study.readers) == 1:
        found.append("There is one reader: nothing here is about other readers.")
    if len(study.modalities) == 1:
        found.append("There is one modality: there are intervals and no comparison.")
    return tuple(found)


def _variances(accuracy: ReaderAccuracy) -> np.ndarray:
    return np.einsum("ijij->ij", accuracy.covariance)
