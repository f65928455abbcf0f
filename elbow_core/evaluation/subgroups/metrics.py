"""Metrics of one subgroup, and the gap between the subgroups of an attribute."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from elbow_core.evaluation.statistics import (
    NO_NEGATIVES,
    NO_POSITIVES,
    Interval,
    Labels,
    auroc,
    proportion_interval,
)
from elbow_core.evaluation.statistics.differences import area_interval
from elbow_core.evaluation.statistics.groups import Gap, area_gap, proportion_gap

GAP_METRICS = ("auroc", "sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class GroupMetrics:
    """Accuracy, sensitivity, specificity and AUROC of one subgroup: values and intervals."""

    images: int
    injured: int
    values: dict[str, float]
    intervals: dict[str, Interval]


def group_metrics(
    labels: Labels, scores: np.ndarray, predicted: Labels, clusters: np.ndarray
) -> GroupMetrics:
    """Return the metrics of one subgroup; intervals are Wilson's, and DeLong's for the area."""
    positive, called = labels.astype(bool), predicted.astype(bool)
    proportions = {
        "accuracy": (positive == called, np.ones_like(positive), ""),
        "sensitivity": (called, positive, NO_POSITIVES),
        "specificity": (~called, ~positive, NO_NEGATIVES),
    }
    values, intervals = {}, {}
    for name, (success, of, undefined) in proportions.items():
        values[name] = float(success[of].mean()) if of.any() else float("nan")
        intervals[name] = proportion_interval(success[of], clusters[of], undefined)
    values["auroc"] = auroc(labels, scores)
    low, high = area_interval(labels, scores, clusters)
    reason = "" if low == low else _reason_without_area(positive, values["auroc"], clusters)
    intervals["auroc"] = Interval(low, high, "DeLong", reason)
    return GroupMetrics(positive.size, int(positive.sum()), values, intervals)


def _reason_without_area(positive: np.ndarray, area: float, clusters: np.ndarray) -> str:
    if not positive.any() or positive.all():
        return NO_NEGATIVES if positive.all() else NO_POSITIVES
    if min(np.unique(clusters[of]).size for of in (positive, ~positive)) < 2:
        return "fewer than two patients of a class"
    if area in (0.0, 1.0):
        return "the scores separate the classes"
    return "the area has no variance"


def group_gaps(
    labels: Labels,
    scores: np.ndarray,
    predicted: Labels,
    groups: Int64[np.ndarray, " n"],
    clusters: Int64[np.ndarray, " n"],
    seed: int,
) -> Mapping[str, Gap]:
    """Return the gap between groups in each of `GAP_METRICS`; ``groups`` numbers them from 0."""
    positive, called = labels.astype(bool), predicted.astype(bool)
    return {
        "auroc": area_gap(positive, scores, groups, clusters, seed),
        "sensitivity": proportion_gap(called[positive], groups[positive], clusters[positive], seed),
        "specificity": proportion_gap(
            ~called[~positive], groups[~positive], clusters[~positive], seed
        ),
    }
