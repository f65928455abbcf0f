"""Prediction files to Markdown, HTML and JSON: `python -m elbow_core.evaluation.report`.

Offered here: `write_report` with its inputs and settings, and the check of its folder before a
long computation. Its wing `figures` offers the style of the project's figures, its wing `rendering`
documents as blocks.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.report.content.schema import is_metrics_json
    from elbow_core.evaluation.report.folder import require_report_folder
    from elbow_core.evaluation.report.inputs import ReportInputs, ReportSettings
    from elbow_core.evaluation.report.write import write_report

__all__ = [
    "ReportInputs",
    "ReportSettings",
    "is_metrics_json",
    "require_report_folder",
    "write_report",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "content.schema": ["is_metrics_json"],
        "folder": ["require_report_folder"],
        "inputs": ["ReportInputs", "ReportSettings"],
        "write": ["write_report"],
    },
)
