"""Every metric of a binary classifier at once, with scikit-learn's definitions.

Where scikit-learn warns and returns 0 for an undefined metric (precision without a predicted
positive, for example), the metric here is nan and ``undefined`` gives the reason.
"""

from typing import TypedDict

import numpy as np
from jaxtyping import Float

from elbow_core.evaluation.statistics.calibration import expected_calibration_error
from elbow_core.evaluation.statistics.confusion import (
    confusion_counts,
    confusion_metrics,
    undefined_metrics,
)
from elbow_core.evaluation.statistics.inputs import Labels, checked_inputs
from elbow_core.evaluation.statistics.ranking import auroc, average_precision


class BinaryMetrics(TypedDict):
    """Counts and metrics; ``undefined`` holds the reason for each metric that is nan."""

    n: int
    positives: int
    negatives: int
    threshold: float
    tp: int
    fp: int
    tn: int
    fn: int
    accuracy: float
    precision: float
    recall: float
    sensitivity: float
    specificity: float
    npv: float
    f1: float
    kappa: float
    mcc: float
    balanced_accuracy: float
    auroc: float
    average_precision: float
    brier: float
    ece: float
    undefined: dict[str, str]


def binary_metrics(
    labels: Labels, scores: Float[np.ndarray, " n"], threshold: float = 0.5
) -> BinaryMetrics:
    """Return every metric of one model on one set of images.

    An image is predicted injured where its score is at least ``threshold``. ``scores`` are
    probabilities. Raises ValueError for no images, a label other than 0 and 1, or a score that is
    nan or outside 0..1.
    """
    positive, scores = checked_inputs(labels, scores)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError("a score is outside 0..1")
    tp, fp, tn, fn = confusion_counts(positive, scores >= threshold)
    ratios = {name: float(value) for name, value in confusion_metrics(tp, fp, tn, fn).items()}
    return BinaryMetrics(
        n=positive.size,
        positives=tp + fn,
        negatives=tn + fp,
        threshold=float(threshold),
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
        accuracy=ratios["accuracy"],
        precision=ratios["precision"],
        recall=ratios["recall"],
        sensitivity=ratios["recall"],
        specificity=ratios["specificity"],
        npv=ratios["npv"],
        f1=ratios["f1"],
        kappa=ratios["kappa"],
        mcc=ratios["mcc"],
        balanced_accuracy=ratios["balanced_accuracy"],
        auroc=auroc(positive, scores),
        average_precision=average_precision(positive, scores),
        brier=float(np.mean((scores - positive) ** 2)),
        ece=expected_calibration_error(positive, scores),
        undefined=undefined_metrics(tp, fp, tn, fn),
    )
