"""From prediction files to metrics, tables and a report."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.predictions import (
        UNPARSED,
        Predictions,
        predictions_of_rows,
        read_predictions,
        write_predictions,
    )
    from elbow_core.evaluation.report.write import write_report
    from elbow_core.evaluation.statistics.feasibility import feasible_confusions
    from elbow_core.evaluation.statistics.metrics import binary_metrics

__all__ = [
    "UNPARSED",
    "Predictions",
    "binary_metrics",
    "feasible_confusions",
    "predictions_of_rows",
    "read_predictions",
    "write_predictions",
    "write_report",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "statistics.metrics": ["binary_metrics"],
        "statistics.feasibility": ["feasible_confusions"],
        "predictions": [
            "UNPARSED",
            "Predictions",
            "predictions_of_rows",
            "read_predictions",
            "write_predictions",
        ],
        "report.write": ["write_report"],
    },
)
