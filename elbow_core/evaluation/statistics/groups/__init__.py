"""A metric in several groups of images, and the largest gap between them.

`estimates` has the metric of each group with its covariance, `gaps` the interval and the test.
"""

from elbow_core.evaluation.statistics.groups.estimates import LEAST_PATIENTS
from elbow_core.evaluation.statistics.groups.gaps import Gap, area_gap, proportion_gap

__all__ = [
    "LEAST_PATIENTS",
    "Gap",
    "area_gap",
    "proportion_gap",
]
