"""Figures of a binary classifier on labels and scores; semantics are scikit-learn's.

Where scikit-learn warns and answers 0 for a figure that is undefined (precision without a
predicted positive, say), the figure here is nan and its reason is given.
"""

from typing import TypedDict

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer
from scipy.stats import rankdata

Labels = Integer[np.ndarray, " n"] | Bool[np.ndarray, " n"]
Counts = Integer[np.ndarray, "..."] | Float[np.ndarray, "..."] | np.integer | float | int

ECE_BINS = 10

NO_POSITIVES = "no injured image"
NO_NEGATIVES = "no normal image"
NO_PREDICTED_POSITIVES = "no image is predicted injured"
NO_PREDICTED_NEGATIVES = "no image is predicted normal"


class BinaryMetrics(TypedDict):
    """Counts, figures, and for each figure that is nan the reason (``undefined``)."""

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
    """Every figure of one model on one set of images.

    An image is predicted injured where its score is at least ``threshold``. ``scores`` are
    probabilities. Raises ValueError for no images, a label other than 0 and 1, or a score that is
    nan or outside 0..1.
    """
    positive, scores = checked(labels, scores)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError("a score is outside 0..1")
    tp, fp, tn, fn = confusion_counts(positive, scores >= threshold)
    ratios = {name: float(value) for name, value in ratios_from_counts(tp, fp, tn, fn).items()}
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
        undefined=undefined_figures(tp, fp, tn, fn),
    )


def checked(
    labels: Labels, scores: Float[np.ndarray, " n"]
) -> tuple[Bool[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Labels as booleans and scores as float64; ValueError for none, or for a label or score."""
    scores = np.asarray(scores, np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"labels {labels.shape} and scores {scores.shape} are not one row each")
    if not labels.size:
        raise ValueError("no images")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("a label is neither 0 nor 1")
    if np.isnan(scores).any():
        raise ValueError("a score is nan")
    return labels.astype(bool), scores


def confusion_counts(labels: Labels, predictions: Labels) -> tuple[int, int, int, int]:
    """The 2 x 2 matrix as (tp, fp, tn, fn), whichever classes occur."""
    positive, predicted = labels.astype(bool), predictions.astype(bool)
    tp = int(np.count_nonzero(positive & predicted))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(positive)) - tp
    return tp, fp, positive.size - tp - fp - fn, fn


def ratios_from_counts(
    tp: Counts, fp: Counts, tn: Counts, fn: Counts
) -> dict[str, Float64[np.ndarray, "..."]]:
    """Every figure that the 2 x 2 matrix decides, elementwise on counts; nan where undefined."""
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
    """Elementwise quotient, nan (without a warning) where the denominator is 0."""
    return np.divide(
        numerator,
        denominator,
        out=np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan),
        where=np.asarray(denominator != 0),
    )


def undefined_figures(tp: int, fp: int, tn: int, fn: int) -> dict[str, str]:
    """Why each figure that is undefined for this 2 x 2 matrix is so."""
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


def auroc(labels: Labels, scores: Float[np.ndarray, " n"]) -> float:
    """Area under the ROC curve from ranks; ties count half; nan where a class is absent.

    Hanley and McNeil, Radiology 143:29 (1982); equals sklearn.metrics.roc_auc_score.
    """
    positive, scores = checked(labels, scores)
    positives = int(np.count_nonzero(positive))
    negatives = positive.size - positives
    if not positives or not negatives:
        return float("nan")
    rank_sum = float(rankdata(scores)[positive].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def average_precision(labels: Labels, scores: Float[np.ndarray, " n"]) -> float:
    """Precision averaged over the steps of recall, as sklearn.metrics.average_precision_score.

    nan where no image is injured.
    """
    positive, scores = checked(labels, scores)
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), positive.size - 1)
    true_positives = np.cumsum(positive[order])[last_of_tie]
    precision = true_positives / (last_of_tie + 1)
    return float(np.sum(np.diff(true_positives, prepend=0) * precision) / true_positives[-1])


def calibration_bins(
    scores: Float[np.ndarray, " n"], bins: int = ECE_BINS
) -> Integer[np.ndarray, " n"]:
    """The equal-width bin of each score; as sklearn.calibration.calibration_curve, an edge's score
    belongs to the bin below it."""
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], scores)


def expected_calibration_error(
    labels: Labels, scores: Float[np.ndarray, " n"], bins: int = ECE_BINS
) -> float:
    """Mean over images of |injured fraction - mean score| of the image's bin of P(injury).

    Naeini et al., AAAI (2015), with equal-width bins of the positive class's probability.
    """
    positive, scores = checked(labels, scores)
    gaps = np.bincount(calibration_bins(scores, bins), weights=positive - scores, minlength=bins)
    return float(np.abs(gaps).sum() / positive.size)
