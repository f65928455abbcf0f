"""The numbers of a report: their types, their computation, and their layout in metrics.json."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.report.content.abstention import abstention_summary
    from elbow_core.evaluation.report.content.comparisons import compare_models
    from elbow_core.evaluation.report.content.decisions import Metric
    from elbow_core.evaluation.report.content.flow import image_flow, read_rejected
    from elbow_core.evaluation.report.content.input_files import input_files
    from elbow_core.evaluation.report.content.metrics_json import metrics_json
    from elbow_core.evaluation.report.content.schema import is_metrics_json
    from elbow_core.evaluation.report.content.structure import (
        AbstentionSummary,
        AnswerShare,
        CalibrationBin,
        Comparison,
        GapSummary,
        ImageFlow,
        InputFile,
        MeanOfModels,
        ModelSummary,
        ReportContent,
        SubgroupSummary,
        WorstError,
    )
    from elbow_core.evaluation.report.content.studies import JoinSummary, StudySummary
    from elbow_core.evaluation.report.content.summary import model_summary

__all__ = [
    "AbstentionSummary",
    "AnswerShare",
    "CalibrationBin",
    "Comparison",
    "GapSummary",
    "ImageFlow",
    "InputFile",
    "JoinSummary",
    "MeanOfModels",
    "Metric",
    "ModelSummary",
    "ReportContent",
    "StudySummary",
    "SubgroupSummary",
    "WorstError",
    "abstention_summary",
    "compare_models",
    "image_flow",
    "input_files",
    "is_metrics_json",
    "metrics_json",
    "model_summary",
    "read_rejected",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "abstention": ["abstention_summary"],
        "comparisons": ["compare_models"],
        "decisions": ["Metric"],
        "flow": ["image_flow", "read_rejected"],
        "input_files": ["input_files"],
        "metrics_json": ["metrics_json"],
        "schema": ["is_metrics_json"],
        "structure": [
            "AbstentionSummary",
            "AnswerShare",
            "CalibrationBin",
            "Comparison",
            "GapSummary",
            "ImageFlow",
            "MeanOfModels",
            "ModelSummary",
            "ReportContent",
            "InputFile",
            "SubgroupSummary",
            "WorstError",
        ],
        "studies": ["JoinSummary", "StudySummary"],
        "summary": ["model_summary"],
    },
)
