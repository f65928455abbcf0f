"""Pure functions on arrays: metrics, intervals, bands of curves, thresholds, and six wings.

Labels are 0 normal and 1 injury, scores P(injury), clusters the patient of each image. Offered
here: what any evaluation needs. Special subjects have wings, whose names are imported from them:
`abstention`, `calibration`, `differences`, `groups`, `multireader` and `published`. Nothing here
reads a file or imports the rest of the project, but for the one comparison of ids,
`elbow_core.identity`.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.statistics.bands import (
        THRESHOLD_PROBABILITIES,
        Band,
        net_benefit_band,
        roc_and_precision_bands,
        treat_all,
    )
    from elbow_core.evaluation.statistics.bootstrap import Resampled, resample_mean
    from elbow_core.evaluation.statistics.clusters import DRAWS, clusters_of
    from elbow_core.evaluation.statistics.confusion import (
        NO_NEGATIVES,
        NO_POSITIVES,
        Confusion,
        confusion_counts,
        confusion_metrics,
        undefined_metrics,
    )
    from elbow_core.evaluation.statistics.froc import (
        FROC_RATES,
        ResampledFroc,
        ScoredMarks,
        resample_froc,
    )
    from elbow_core.evaluation.statistics.inputs import Labels
    from elbow_core.evaluation.statistics.intervals import (
        Interval,
        bca,
        decision_intervals,
        metric_intervals,
        proportion_interval,
        score_intervals,
        wilson,
    )
    from elbow_core.evaluation.statistics.metrics import BinaryMetrics, binary_metrics
    from elbow_core.evaluation.statistics.ranking import auroc, average_precision, roc_points
    from elbow_core.evaluation.statistics.thresholds import (
        DEFAULT,
        DEFAULT_THRESHOLD,
        NONE_INJURED,
        check_thresholds,
        choose_thresholds,
    )

__all__ = [
    "DEFAULT",
    "DEFAULT_THRESHOLD",
    "DRAWS",
    "FROC_RATES",
    "NONE_INJURED",
    "NO_NEGATIVES",
    "NO_POSITIVES",
    "THRESHOLD_PROBABILITIES",
    "Band",
    "BinaryMetrics",
    "Confusion",
    "Interval",
    "Labels",
    "Resampled",
    "ResampledFroc",
    "ScoredMarks",
    "auroc",
    "average_precision",
    "bca",
    "binary_metrics",
    "check_thresholds",
    "choose_thresholds",
    "clusters_of",
    "confusion_counts",
    "confusion_metrics",
    "decision_intervals",
    "metric_intervals",
    "net_benefit_band",
    "proportion_interval",
    "resample_froc",
    "resample_mean",
    "roc_and_precision_bands",
    "roc_points",
    "score_intervals",
    "treat_all",
    "undefined_metrics",
    "wilson",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bands": [
            "THRESHOLD_PROBABILITIES",
            "Band",
            "net_benefit_band",
            "roc_and_precision_bands",
            "treat_all",
        ],
        "bootstrap": ["Resampled", "resample_mean"],
        "clusters": ["DRAWS", "clusters_of"],
        "confusion": [
            "NO_NEGATIVES",
            "NO_POSITIVES",
            "Confusion",
            "confusion_counts",
            "confusion_metrics",
            "undefined_metrics",
        ],
        "froc": ["FROC_RATES", "ResampledFroc", "ScoredMarks", "resample_froc"],
        "inputs": ["Labels"],
        "intervals": [
            "Interval",
            "bca",
            "decision_intervals",
            "metric_intervals",
            "proportion_interval",
            "score_intervals",
            "wilson",
        ],
        "metrics": ["BinaryMetrics", "binary_metrics"],
        "ranking": ["auroc", "average_precision", "roc_points"],
        "thresholds": [
            "DEFAULT",
            "DEFAULT_THRESHOLD",
            "NONE_INJURED",
            "check_thresholds",
            "choose_thresholds",
        ],
    },
)
