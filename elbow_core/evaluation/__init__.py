"""From prediction files to metrics, tables and a report.

Offered here: the predictions table and its file, the thresholds that leave images to the reader,
the report, what commands share that judge a model on other prepared data, and the two functions on
arrays that outsiders use most. `elbow_core.evaluation.statistics` offers the other functions on
arrays.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.abstention import (
        UNCERTAIN,
        AbstentionRecord,
        read_abstention,
    )
    from elbow_core.evaluation.external_data import (
        ExternalOutputs,
        OwnPredictions,
        external_outputs,
        name_of_model,
        open_external,
        read_own_predictions,
        require_preprocessing,
        write_external_report,
    )
    from elbow_core.evaluation.external_options import (
        add_external_options,
        check_external_options,
    )
    from elbow_core.evaluation.folds import (
        FOLDS_FILE,
        Fold,
        measure_fold,
        require_folds_file,
        spread,
        write_folds,
    )
    from elbow_core.evaluation.predictions import (
        ALL,
        EXTERNAL_PREDICTIONS,
        EXTERNAL_REPORT,
        UNPARSED,
        Predictions,
        predictions_of_rows,
        read_predictions,
        require_predictions_file,
        write_predictions,
    )
    from elbow_core.evaluation.report import (
        ReportInputs,
        ReportSettings,
        require_report_folder,
        write_report,
    )
    from elbow_core.evaluation.statistics import binary_metrics
    from elbow_core.evaluation.statistics.published import feasible_confusions

__all__ = [
    "ALL",
    "EXTERNAL_PREDICTIONS",
    "EXTERNAL_REPORT",
    "FOLDS_FILE",
    "UNCERTAIN",
    "UNPARSED",
    "AbstentionRecord",
    "ExternalOutputs",
    "Fold",
    "OwnPredictions",
    "Predictions",
    "ReportInputs",
    "ReportSettings",
    "add_external_options",
    "binary_metrics",
    "check_external_options",
    "external_outputs",
    "feasible_confusions",
    "measure_fold",
    "name_of_model",
    "open_external",
    "predictions_of_rows",
    "read_abstention",
    "read_own_predictions",
    "read_predictions",
    "require_folds_file",
    "require_predictions_file",
    "require_preprocessing",
    "require_report_folder",
    "spread",
    "write_external_report",
    "write_folds",
    "write_predictions",
    "write_report",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "external_data": [
            "ExternalOutputs",
            "OwnPredictions",
            "external_outputs",
            "name_of_model",
            "open_external",
            "read_own_predictions",
            "require_preprocessing",
            "write_external_report",
        ],
        "external_options": ["add_external_options", "check_external_options"],
        "folds": [
            "FOLDS_FILE",
            "Fold",
            "measure_fold",
            "require_folds_file",
            "spread",
            "write_folds",
        ],
        "abstention": ["UNCERTAIN", "AbstentionRecord", "read_abstention"],
        "predictions": [
            "ALL",
            "EXTERNAL_PREDICTIONS",
            "EXTERNAL_REPORT",
            "UNPARSED",
            "Predictions",
            "predictions_of_rows",
            "read_predictions",
            "require_predictions_file",
            "write_predictions",
        ],
        "report": ["ReportInputs", "ReportSettings", "require_report_folder", "write_report"],
        "statistics": ["binary_metrics"],
        "statistics.published": ["feasible_confusions"],
    },
)
