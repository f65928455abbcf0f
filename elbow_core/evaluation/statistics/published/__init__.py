"""Published metrics: the exact values behind a printed number, and the confusion matrices.

`printed_values` has the range that a rounded or truncated number stands for, `feasibility` the
search for matrices whose metrics lie in such ranges.
"""

from elbow_core.evaluation.statistics.published.feasibility import (
    MATRIX_METRICS,
    MOST_IMAGES,
    feasible_confusions,
    implied_prevalence,
    search_confusions,
)
from elbow_core.evaluation.statistics.published.printed_values import (
    Range,
    exact,
    rounded_range,
    truncated_range,
)

__all__ = [
    "MATRIX_METRICS",
    "MOST_IMAGES",
    "Range",
    "exact",
    "feasible_confusions",
    "implied_prevalence",
    "rounded_range",
    "search_confusions",
    "truncated_range",
]
