"""Subgroups of the images: by which attributes of the manifest, and their metrics and gaps.

`groupings` makes groups of words and bands of numbers, `metrics` the metrics of one group and the
gap between the groups of an attribute.
"""

from elbow_core.evaluation.subgroups.groupings import (
    UNKNOWN,
    Grouping,
    attributes_of,
    groupings_of,
    views_of,
)
from elbow_core.evaluation.subgroups.metrics import group_gaps, group_metrics

__all__ = [
    "UNKNOWN",
    "Grouping",
    "attributes_of",
    "group_gaps",
    "group_metrics",
    "groupings_of",
    "views_of",
]
