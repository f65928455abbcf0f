"""Calibration of scores: its bins and error, its slope and intercept, and its correction.

`reliability` measures it, `recalibration` fits temperature, intercept and slope, and `logistic` is
the regression behind them.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.statistics.calibration.logistic import fit_logistic
    from elbow_core.evaluation.statistics.calibration.recalibration import (
        CalibrationLine,
        apply_temperature,
        calibration_line,
        fit_recalibration,
        fit_temperature,
        log_odds,
        recalibrate,
    )
    from elbow_core.evaluation.statistics.calibration.reliability import (
        ECE_BINS,
        ReliabilityBins,
        bin_indices,
        expected_calibration_error,
        reliability_bins,
    )

__all__ = [
    "ECE_BINS",
    "CalibrationLine",
    "ReliabilityBins",
    "apply_temperature",
    "bin_indices",
    "calibration_line",
    "expected_calibration_error",
    "fit_logistic",
    "fit_recalibration",
    "fit_temperature",
    "log_odds",
    "recalibrate",
    "reliability_bins",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "logistic": ["fit_logistic"],
        "recalibration": [
            "CalibrationLine",
            "apply_temperature",
            "calibration_line",
            "fit_recalibration",
            "fit_temperature",
            "log_odds",
            "recalibrate",
        ],
        "reliability": [
            "ECE_BINS",
            "ReliabilityBins",
            "bin_indices",
            "expected_calibration_error",
            "reliability_bins",
        ],
    },
)
