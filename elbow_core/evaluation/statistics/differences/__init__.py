"""Differences between models, test sets and recipes: estimate, interval and p.

`comparison` is of two models on the same images (DeLong, McNemar), `independent` of one model on
two sets, `resampled` of two recipes over the folds of a cross-validation. `paired_interval` has
their intervals for proportions and `multiplicity` Holm's adjustment of several p values.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.statistics.differences.comparison import (
        Difference,
        area_covariance,
        area_interval,
        delong,
        mcnemar,
    )
    from elbow_core.evaluation.statistics.differences.independent import (
        difference_of_areas,
        difference_of_proportions,
    )
    from elbow_core.evaluation.statistics.differences.multiplicity import holm
    from elbow_core.evaluation.statistics.differences.paired_interval import joined_interval
    from elbow_core.evaluation.statistics.differences.resampled import corrected_resampled_t

__all__ = [
    "Difference",
    "area_covariance",
    "area_interval",
    "corrected_resampled_t",
    "delong",
    "difference_of_areas",
    "difference_of_proportions",
    "holm",
    "joined_interval",
    "mcnemar",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparison": ["Difference", "area_covariance", "area_interval", "delong", "mcnemar"],
        "independent": ["difference_of_areas", "difference_of_proportions"],
        "multiplicity": ["holm"],
        "paired_interval": ["joined_interval"],
        "resampled": ["corrected_resampled_t"],
    },
)
