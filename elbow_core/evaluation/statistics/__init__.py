"""Pure functions on arrays: metrics, intervals, comparisons, calibration, bands, feasibility.

Labels are 0 normal and 1 injury, scores P(injury), clusters the patient of each image. Everything
in ``__all__`` may be used anywhere; nothing here reads a file or imports the rest of the project,
but for the one comparison of ids, `elbow_core.identity`.
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
    from elbow_core.evaluation.statistics.comparison import (
        Difference,
        area_interval,
        delong,
        holm,
        mcnemar,
    )
    from elbow_core.evaluation.statistics.confusion import (
        NO_NEGATIVES,
        NO_POSITIVES,
        Confusion,
        confusion_counts,
        confusion_metrics,
        undefined_metrics,
    )
    from elbow_core.evaluation.statistics.feasibility import (
        MATRIX_METRICS,
        feasible_confusions,
        implied_prevalence,
        search_confusions,
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
    from elbow_core.evaluation.statistics.ranking import auroc, average_precision
    from elbow_core.evaluation.statistics.recalibration import (
        CalibrationLine,
        apply_temperature,
        calibration_line,
        fit_temperature,
    )
    from elbow_core.evaluation.statistics.reliability import (
        ECE_BINS,
        ReliabilityBins,
        expected_calibration_error,
        reliability_bins,
    )
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
    "ECE_BINS",
    "FROC_RATES",
    "MATRIX_METRICS",
    "NONE_INJURED",
    "NO_NEGATIVES",
    "NO_POSITIVES",
    "THRESHOLD_PROBABILITIES",
    "Band",
    "BinaryMetrics",
    "CalibrationLine",
    "Confusion",
    "Difference",
    "Interval",
    "Labels",
    "ReliabilityBins",
    "Resampled",
    "ResampledFroc",
    "ScoredMarks",
    "apply_temperature",
    "area_interval",
    "auroc",
    "average_precision",
    "bca",
    "binary_metrics",
    "calibration_line",
    "check_thresholds",
    "choose_thresholds",
    "clusters_of",
    "confusion_counts",
    "confusion_metrics",
    "decision_intervals",
    "delong",
    "expected_calibration_error",
    "feasible_confusions",
    "fit_temperature",
    "holm",
    "implied_prevalence",
    "mcnemar",
    "metric_intervals",
    "net_benefit_band",
    "proportion_interval",
    "reliability_bins",
    "resample_froc",
    "resample_mean",
    "roc_and_precision_bands",
    "score_intervals",
    "search_confusions",
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
        "comparison": ["Difference", "area_interval", "delong", "holm", "mcnemar"],
        "confusion": [
            "NO_NEGATIVES",
            "NO_POSITIVES",
            "Confusion",
            "confusion_counts",
            "confusion_metrics",
            "undefined_metrics",
        ],
        "feasibility": [
            "MATRIX_METRICS",
            "feasible_confusions",
            "implied_prevalence",
            "search_confusions",
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
        "ranking": ["auroc", "average_precision"],
        "recalibration": [
            "CalibrationLine",
            "apply_temperature",
            "calibration_line",
            "fit_temperature",
        ],
        "reliability": [
            "ECE_BINS",
            "ReliabilityBins",
            "expected_calibration_error",
            "reliability_bins",
        ],
        "thresholds": [
            "DEFAULT",
            "DEFAULT_THRESHOLD",
            "NONE_INJURED",
            "check_thresholds",
            "choose_thresholds",
        ],
    },
)
