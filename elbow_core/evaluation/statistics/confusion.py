"""The 2 x 2 confusion matrix and every metric that it determines."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Integer

from elbow_core.evaluation.statistics.inputs import Labels

Counts = Integer[np.ndarray, "..."] | Float[np.ndarray, "..."] | np.integer | float | int

NO_POSITIVES = "no injured image"
NO_NEGATIVES = "no normal image"
NO_PREDICTED_POSITIVES = "no image is predicted injured"
NO_PREDICTED_NEGATIVES = "no image is predicted normal"


class Confusion(NamedTuple):
    """A 2 x 2 matrix of counts."""

    tp: int
    fp: int
    tn: int
    fn: int


def confusion_counts(labels: Labels, predictions: Labels) -> Confusion:
    """Count the 2 x 2 matrix; a class that does not occur has counts of 0."""
    positive, predicted = labels.astype(bool), predictions.astype(bool)
    tp = int(np.count_nonzero(positive & predicted))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(positive)) - tp
    return Confusion(tp, fp, positive.size - tp - fp - fn, fn)


def confusion_metrics(
    tp: Counts, fp: Counts, tn: Counts, fn: Counts
) -> dict[str, Float64[np.ndarray, "..."]]:
    """Return every metric of the 2 x 2 matrix, elementwise on counts; nan where undefined."""
    tp, fp, tn, fn = (np.asarray(count, np.float64) for count in (tp, fp, tn, fn))
    positives, negatives = tp + fn, tn + fp
    predicted, unpredicted = tp + fp, tn + fn
    n = positives + negatives
    chance = predicted * positives + unpredicted * negatives
    recall, specificity = ratio(tp, positives), ratio(tn, negatives)
    return {
        "accuracy": ratio(tp + tn, n),
        "precision": ratio(tp, predicted),
        "recall": recall,
        "specificity": specificity,
        "npv": ratio(tn, unpredicted),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "kappa": ratio((tp + tn) * n - chance, n * n - chance),
        "mcc": ratio(
            tp * tn - fp * fn, np.sqrt(predicted * positives) * np.sqrt(unpredicted * negatives)
        ),
        "balanced_accuracy": np.asarray((recall + specificity) / 2),
    }


def ratio(numerator: Counts, denominator: Counts) -> Float64[np.ndarray, "..."]:
    """Divide elementwise; nan, without a warning, where the denominator is 0."""
    return np.divide(
        numerator,
        denominator,
        out=np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan),
        where=np.asarray(denominator != 0),
    )


def undefined_metrics(tp: int, fp: int, tn: int, fn: int) -> dict[str, str]:
    """Return the reason for each metric that is undefined for this 2 x 2 matrix."""
    missing = {
        NO_POSITIVES: tp + fn == 0,
        NO_NEGATIVES: tn + fp == 0,
        NO_PREDICTED_POSITIVES: tp + fp == 0,
        NO_PREDICTED_NEGATIVES: tn + fn == 0,
    }
    class_reasons = [r for r in (NO_POSITIVES, NO_NEGATIVES) if missing[r]]
    reasons = {
        "precision": [NO_PREDICTED_POSITIVES] if tp + fp == 0 else [],
        "recall": [NO_POSITIVES] if tp + fn == 0 else [],
        "sensitivity": [NO_POSITIVES] if tp + fn == 0 else [],
        "specificity": [NO_NEGATIVES] if tn + fp == 0 else [],
        "npv": [NO_PREDICTED_NEGATIVES] if tn + fn == 0 else [],
        "f1": [NO_POSITIVES, NO_PREDICTED_POSITIVES] if tp + fp + fn == 0 else [],
        "kappa": ["labels and predictions are all one class"]
        if tp + fp + tn + fn in (tp, tn)
        else [],
        "mcc": [reason for reason, applies in missing.items() if applies],
        "balanced_accuracy": class_reasons,
        "auroc": class_reasons,
        "average_precision": [NO_POSITIVES] if tp + fn == 0 else [],
    }
    return {name: "; ".join(why) for name, why in reasons.items() if why}
