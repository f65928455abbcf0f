"""Studies in which several readers rate the same cases with several modalities: pure functions.

`accuracy` has each reader's accuracy with its covariances, `components` the components of variance,
`inference` tests and intervals after Obuchowski and Rockette, `planning` the numbers of readers and
cases that a study needs, and `roe_metz` simulated ratings.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.statistics.multireader.accuracy import (
        CovarianceMethod,
        ReaderAccuracy,
        ReaderMetric,
        reader_auroc,
        reader_sensitivity,
        reader_specificity,
    )
    from elbow_core.evaluation.statistics.multireader.components import (
        ReaderComponents,
        reader_components,
    )
    from elbow_core.evaluation.statistics.multireader.inference import (
        POPULATIONS,
        Equality,
        Estimate,
        ModalityDifference,
        NonInferiority,
        Population,
        ReaderInference,
        analyse_readers,
        non_inferiority,
        reader_differences,
        reader_estimates,
    )
    from elbow_core.evaluation.statistics.multireader.planning import (
        MAX_PLANNED_CASES,
        Pilot,
        cases_needed,
        pilot_of,
        power_of,
    )
    from elbow_core.evaluation.statistics.multireader.roe_metz import (
        ROE_METZ,
        RoeMetz,
        simulate_ratings,
    )

__all__ = [
    "MAX_PLANNED_CASES",
    "POPULATIONS",
    "ROE_METZ",
    "CovarianceMethod",
    "Equality",
    "Estimate",
    "ModalityDifference",
    "NonInferiority",
    "Pilot",
    "Population",
    "ReaderAccuracy",
    "ReaderComponents",
    "ReaderInference",
    "ReaderMetric",
    "RoeMetz",
    "analyse_readers",
    "cases_needed",
    "non_inferiority",
    "pilot_of",
    "power_of",
    "reader_auroc",
    "reader_components",
    "reader_differences",
    "reader_estimates",
    "reader_sensitivity",
    "reader_specificity",
    "simulate_ratings",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "accuracy": [
            "CovarianceMethod",
            "ReaderMetric",
            "ReaderAccuracy",
            "reader_auroc",
            "reader_sensitivity",
            "reader_specificity",
        ],
        "components": [
            "ReaderComponents",
            "reader_components",
        ],
        "inference": [
            "POPULATIONS",
            "Equality",
            "Estimate",
            "ReaderInference",
            "ModalityDifference",
            "NonInferiority",
            "Population",
            "analyse_readers",
            "non_inferiority",
            "reader_differences",
            "reader_estimates",
        ],
        "planning": [
            "MAX_PLANNED_CASES",
            "Pilot",
            "cases_needed",
            "pilot_of",
            "power_of",
        ],
        "roe_metz": [
            "ROE_METZ",
            "RoeMetz",
            "simulate_ratings",
        ],
    },
)
