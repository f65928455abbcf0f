"""Operating points: chosen on validation scores, frozen, and only then applied to a test set."""

import numpy as np
from jaxtyping import Float

from elbow_core.evaluation.statistics.metrics import Labels, checked

# Sensitivity or specificity of at least 19 in 20. In whole images, so that 19 of 20 is enough
# whatever 0.95 is in binary.
AT_LEAST = (19, 20)
NONE_INJURED = float(np.nextafter(1.0, 2.0))


def choose_thresholds(labels: Labels, scores: Float[np.ndarray, " n"]) -> dict[str, float]:
    """Operating points of one model on its validation set; a score at or above one is *injury*.

    - ``youden``: greatest sensitivity + specificity - 1; of several the highest threshold
    - ``sensitivity_95``: the highest threshold whose sensitivity is at least 0.95
    - ``specificity_95``: the lowest threshold whose specificity is at least 0.95

    Each is one of the scores. Where no score reaches the specificity (many normal images share the
    highest score) it is `NONE_INJURED`, just above 1. Raises ValueError where a class is absent, a
    score is nan, or a label is not 0 or 1.

    Reference: Youden, Cancer 3:32 (1950); sklearn.metrics.roc_curve for the candidates.
    """
    positive, scores = checked(labels, scores)
    if positive.all() or not positive.any():
        raise ValueError("thresholds need validation images of both classes")
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(descending)), positive.size - 1)
    true_positives = np.cumsum(positive[order])[last_of_tie]
    false_positives = last_of_tie + 1 - true_positives
    candidates = descending[last_of_tie]
    positives, negatives = int(true_positives[-1]), int(false_positives[-1])

    # Times positives * negatives, Youden's index is a whole number and ties are ties.
    youden = true_positives * negatives - false_positives * positives
    least, of = AT_LEAST
    sensitive = true_positives * of >= positives * least
    specific = (negatives - false_positives) * of >= negatives * least
    return {
        "youden": float(candidates[np.argmax(youden)]),
        "sensitivity_95": float(candidates[np.argmax(sensitive)]),
        "specificity_95": float(candidates[specific][-1]) if specific.any() else NONE_INJURED,
    }
