"""Metrics by subgroup: view, body part, source, hardware, finding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.statistics import (
    NO_NEGATIVES,
    NO_POSITIVES,
    Interval,
    Labels,
    area_interval,
    auroc,
    proportion_interval,
)
from elbow_core.identity import normalise_image_id

UNKNOWN = "unknown"
# Limit for a readable table; the smallest groups are combined.
MOST_GROUPS = 30
OTHERS = "all others"


@dataclass(frozen=True, slots=True)
class GroupMetrics:
    """Accuracy, sensitivity, specificity and AUROC of one subgroup: values and intervals."""

    images: int
    injured: int
    values: dict[str, float]
    intervals: dict[str, Interval]


def attributes_of(predictions: Predictions, rows: Sequence[ManifestRow]) -> dict[str, np.ndarray]:
    """Return each attribute's values from the manifest, in the order of the predictions.

    Images are compared by `Predictions.keys`. Hardware is present where the finding contains the
    word. Raises `PredictionsError` with file and line for an image that the manifest lacks or
    labels differently.
    """
    by_id = {normalise_image_id(row.image_id): row for row in rows}
    found = []
    for index, (image_id, key) in enumerate(
        zip(predictions.image_id.tolist(), predictions.keys("image_id").tolist(), strict=True)
    ):
        row = by_id.get(key)
        if row is None:
            raise PredictionsError(
                f"{predictions.where(index)}: image {image_id!r} is not in the manifest"
            )
        if row.label != predictions.label[index]:
            raise PredictionsError(
                f"{predictions.where(index)}: image {image_id!r} has label "
                f"{predictions.label[index]}, but {row.label} in the manifest"
            )
        found.append(row)
    columns: dict[str, list[str]] = {
        "view": [row.view for row in found],
        "body part": [row.body_part for row in found],
        "source": [row.source for row in found],
        "hardware": [
            ("present" if "hardware" in row.finding.lower() else "absent") if row.finding else ""
            for row in found
        ],
        "finding": [row.finding for row in found],
    }
    return {
        name: np.array([value or UNKNOWN for value in column]) for name, column in columns.items()
    }


def groups_of(
    attributes: Mapping[str, np.ndarray],
) -> list[tuple[str, str, Bool[np.ndarray, " n"]]]:
    """Return attribute, group and a mask of its images; an attribute needs two groups or more.

    Groups are in descending size; beyond `MOST_GROUPS` the smallest are combined.
    """
    groups = []
    for attribute, column in attributes.items():
        names, counts = np.unique(column, return_counts=True)
        if names.size < 2:
            continue
        ordered = names[np.argsort(-counts, kind="stable")]
        shown = ordered[: MOST_GROUPS - 1] if names.size > MOST_GROUPS else ordered
        groups += [(attribute, str(name), column == name) for name in shown]
        if shown.size < ordered.size:
            groups.append((attribute, OTHERS, ~np.isin(column, shown)))
    return groups


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
