"""Choice of operating points on validation scores; a test set only ever has them applied."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from elbow_core.evaluation.statistics.inputs import Labels
from elbow_core.evaluation.statistics.ranking import counts_by_threshold

DEFAULT = "default"
DEFAULT_THRESHOLD = 0.5
# Sensitivity or specificity of at least 19 in 20, compared in whole images, so that 19 of 20 is
# enough although 0.95 has no exact binary form.
AT_LEAST = (19, 20)
NONE_INJURED = float(np.nextafter(1.0, 2.0))
_MAX_NAME = 64  # characters


def choose_thresholds(labels: Labels, scores: Float[np.ndarray, " n"]) -> dict[str, float]:
    """Choose operating points on a validation set; a score at or above one is *injury*.

    - ``youden``: greatest sensitivity + specificity - 1; of equal ones the highest threshold
    - ``sensitivity_95``: the highest threshold whose sensitivity is at least 0.95
    - ``specificity_95``: the lowest threshold whose specificity is at least 0.95

    Each is one of the scores. Where no score reaches the specificity (many normal images share the
    highest score) it is `NONE_INJURED`, just above 1. Raises ValueError where a class is absent, a
    score is not finite or a label is not 0 or 1.

    Reference: Youden, Cancer 3:32 (1950); sklearn.metrics.roc_curve for the candidates.
    """
    candidates, true_positives, false_positives = counts_by_threshold(labels, scores)
    positives, negatives = int(true_positives[-1]), int(false_positives[-1])
    if not positives or not negatives:
        raise ValueError("thresholds need validation images of both classes")
    # Youden's index times positives * negatives is a whole number, so equal points compare equal.
    youden = true_positives * negatives - false_positives * positives
    least, of = AT_LEAST
    sensitive = true_positives * of >= positives * least
    specific = (negatives - false_positives) * of >= negatives * least
    return {
        "youden": float(candidates[np.argmax(youden)]),
        "sensitivity_95": float(candidates[np.argmax(sensitive)]),
        "specificity_95": float(candidates[specific][-1]) if specific.any() else NONE_INJURED,
    }


def check_thresholds(thresholds: object) -> dict[str, float]:
    """Return the operating points of a released model if each is one.

    They are numbers by name, from 0 to 1 or `NONE_INJURED`, and ``default`` is among them. A name
    is printable text of 1 to 64 characters.

    Raises:
        ValueError: naming the operating point.
    """
    if not isinstance(thresholds, Mapping) or DEFAULT not in thresholds:
        raise ValueError(f"the threshold {DEFAULT!r} is missing")
    for name, value in thresholds.items():
        if not (isinstance(name, str) and 0 < len(name) <= _MAX_NAME and name.isprintable()):
            raise ValueError(f"{str(name)[:_MAX_NAME]!r} is not the name of a threshold")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and 0 <= value <= NONE_INJURED):
            raise ValueError(f"{name}: {str(value)[:40]!r} is not a number from 0 to 1")
    return {name: float(value) for name, value in thresholds.items()}
