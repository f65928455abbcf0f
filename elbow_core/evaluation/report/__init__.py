"""Prediction files to Markdown, HTML and JSON: `python -m elbow_core.evaluation.report`."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.report.write import write_report

__all__ = ["write_report"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "write": ["write_report"],
    },
)
