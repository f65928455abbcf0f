"""From the facts of a manifest to groups of images: words as they are, numbers in bands."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from elbow_core.dataset import ManifestRow
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.predictions import Predictions
from elbow_core.identity import normalise_id, normalise_image_id
from elbow_core.tables import parse_number

UNKNOWN = "unknown"
NOT_A_NUMBER = "not a number"
NOT_AN_AGE = "not an age"
# Limit for a readable table; the smallest groups are combined.
MOST_GROUPS = 30
OTHERS = "all others"
MOST_VALUES = 6
"""Of a numeric attribute that is shown value by value; with more it is shown in quartiles."""
LEAST_NUMBERS = 0.95
"""Share of an attribute's known images whose value must be a number for it to be numeric."""
AGE = "age"
AGE_CUTS = (2, 6, 12, 18, 40, 65)
"""First years of the bands of age but the lowest: infants and toddlers, preschool and school
children, adolescents (ICH E11(R1), section 4), adults below and from 40, and 65 and over (ICH E7).
The cut at 40 is ours: it divides the adults at the age from which bone is lost."""
OLDEST = 120

_MANIFEST_FIELDS = ("view", "body part", "source", "hardware", "finding")


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of one attribute; every image is in one of them."""

    attribute: str
    groups: tuple[str, ...]
    """Their names: bands in ascending order, words in descending size."""
    number: Int64[np.ndarray, " images"]
    """Each image's group, as a place in ``groups``."""


def attributes_of(predictions: Predictions, rows: Sequence[ManifestRow]) -> dict[str, np.ndarray]:
    """Return each attribute's values from the manifest, in the order of the predictions.

    First the manifest's own columns, then `ManifestRow.attributes` by name; one with the name of an
    own column gets `` (column)`` behind it. An absent value is `UNKNOWN`. Images are compared by
    `Predictions.keys`. Hardware is present where the finding contains the word. Raises
    `PredictionsError` with file and line for an image that the manifest lacks or labels
    differently.
    """
    found = _rows_of(predictions, rows)
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
    further = [dict(row.attributes) for row in found]
    for name in sorted({name for row in found for name, _ in row.attributes}):
        shown = f"{name} (column)" if name in _MANIFEST_FIELDS else name
        columns[shown] = [attributes.get(name, "") for attributes in further]
    return {
        name: np.array([value or UNKNOWN for value in column]) for name, column in columns.items()
    }


def views_of(predictions: Predictions, rows: Sequence[ManifestRow]) -> np.ndarray:
    """Return each image's view from the manifest; empty where that lacks the image or its view."""
    views = {normalise_image_id(row.image_id): row.view for row in rows}
    return np.array([views.get(key, "") for key in predictions.keys("image_id").tolist()])


def _rows_of(predictions: Predictions, rows: Sequence[ManifestRow]) -> list[ManifestRow]:
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
    return found


def groupings_of(attributes: Mapping[str, np.ndarray]) -> tuple[list[Grouping], list[str]]:
    """Return the groups of each attribute, and sentences on attributes that make none.

    An attribute needs two groups or more. A numeric one, that is one with at least `LEAST_NUMBERS`
    numbers, is in bands: the age in years by `AGE_CUTS`, another with more than `MOST_VALUES`
    values by the quartiles of these images, which the groups' names state. Of other attributes each
    value is a group; beyond `MOST_GROUPS` the smallest are combined, and an attribute whose large
    groups then hold less than half of the images, such as an accession number, is left out.
    """
    groupings, left_out = [], []
    for attribute, column in attributes.items():
        values, value = np.unique(column, return_inverse=True)
        value = value.reshape(-1)
        if values.size < 2:
            continue
        counts = np.bincount(value)
        numbers = np.array([_number(text) for text in values.tolist()])
        numeric = attribute not in _MANIFEST_FIELDS and _is_numeric(values, numbers, counts)
        if numeric and normalise_id(attribute) == AGE:
            names, number = _bands_of_age(values, numbers)
        elif numeric and np.count_nonzero(~np.isnan(numbers)) > MOST_VALUES:
            names, number = _quartiles(values, numbers, counts)
        else:
            order = np.argsort(-counts, kind="stable")
            shown = order[: MOST_GROUPS - 1] if values.size > MOST_GROUPS else order
            if 2 * counts[shown].sum() < column.size:
                left_out.append(
                    f"The attribute {attribute} makes no subgroups: it has {values.size} values, "
                    f"and the {shown.size} most frequent ones hold {counts[shown].sum()} of "
                    f"{column.size} images."
                )
                continue
            names = [str(values[place]) for place in shown]
            names += [OTHERS] * (shown.size < values.size)
            number = np.full(values.size, len(names) - 1)
            number[shown] = np.arange(shown.size)
        grouping = _without_empty(attribute, names, number[value])
        if len(grouping.groups) > 1:
            groupings.append(grouping)
    return groupings, left_out


def _number(text: str) -> float:
    try:
        return parse_number(text)
    except ValueError:
        return math.nan


def _is_numeric(values: np.ndarray, numbers: np.ndarray, counts: np.ndarray) -> bool:
    known, numeric = counts[values != UNKNOWN].sum(), counts[~np.isnan(numbers)].sum()
    return bool(known > 0 and numeric >= LEAST_NUMBERS * known)


def _bands_of_age(
    values: np.ndarray, numbers: Float64[np.ndarray, " values"]
) -> tuple[list[str], np.ndarray]:
    """Return the names of the bands of age in completed years, and each value's band."""
    starts = (0, *AGE_CUTS)
    names = [
        f"{first} to {following - 1}" for first, following in zip(starts, AGE_CUTS, strict=False)
    ]
    names += [f"{AGE_CUTS[-1]} and over", NOT_AN_AGE, UNKNOWN]
    number = np.searchsorted(AGE_CUTS, numbers, side="right")
    number[~((numbers >= 0) & (numbers <= OLDEST))] = len(names) - 2
    number[values == UNKNOWN] = len(names) - 1
    return names, number


def _quartiles(
    values: np.ndarray, numbers: Float64[np.ndarray, " values"], counts: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """Return the names of the quarters of the images, and each value's quarter.

    The cut points are values that occur; equal ones make fewer than four groups.
    """
    of_images = np.repeat(numbers, counts)
    known = of_images[~np.isnan(of_images)]
    cuts = np.unique(np.quantile(known, (0.25, 0.5, 0.75), method="inverted_cdf"))
    written = [f"{cut:.15g}" for cut in cuts.tolist()]
    names = [f"up to {written[0]}"]
    names += [f"above {low} to {high}" for low, high in itertools.pairwise(written)]
    names += [f"above {written[-1]}", NOT_A_NUMBER, UNKNOWN]
    number = np.searchsorted(cuts, numbers, side="left")
    number[np.isnan(numbers)] = len(names) - 2
    number[values == UNKNOWN] = len(names) - 1
    return names, number


def _without_empty(attribute: str, names: Sequence[str], number: np.ndarray) -> Grouping:
    present = np.unique(number)
    return Grouping(
        attribute,
        tuple(names[int(place)] for place in present),
        np.searchsorted(present, number).astype(np.int64),
    )
