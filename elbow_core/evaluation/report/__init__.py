"""Prediction files to Markdown, HTML and JSON: `python -m elbow_core.evaluation.report`.

Offered here: `write_report` with its inputs and settings. Its wing `figures` offers the style of
the project's figures.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.report.inputs import ReportInputs, ReportSettings
    from elbow_core.evaluation.report.write import write_report

__all__ = [
    "ReportInputs",
    "ReportSettings",
    "write_report",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "inputs": ["ReportInputs", "ReportSettings"],
        "write": ["write_report"],
    },
)
