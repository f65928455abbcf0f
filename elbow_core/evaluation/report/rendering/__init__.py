"""A document as typed blocks, and its two renderings: Markdown and one self-contained HTML page."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.report.rendering.document import (
        Block,
        FigureGrid,
        Gallery,
        Heading,
        Interval,
        IntervalRow,
        IntervalTable,
        Items,
        Paragraph,
        Picture,
        Table,
    )
    from elbow_core.evaluation.report.rendering.html import render_html
    from elbow_core.evaluation.report.rendering.markdown import render_markdown

__all__ = [
    "Block",
    "FigureGrid",
    "Gallery",
    "Heading",
    "Interval",
    "IntervalRow",
    "IntervalTable",
    "Items",
    "Paragraph",
    "Picture",
    "Table",
    "render_html",
    "render_markdown",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "document": [
            "Block",
            "FigureGrid",
            "Gallery",
            "Heading",
            "Interval",
            "IntervalRow",
            "IntervalTable",
            "Items",
            "Paragraph",
            "Picture",
            "Table",
        ],
        "html": ["render_html"],
        "markdown": ["render_markdown"],
    },
)
