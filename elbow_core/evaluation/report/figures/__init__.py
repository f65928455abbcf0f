"""Matplotlib figures of a report: their style, the plots, and the files with their captions.

Any figure of the project may use the style; the rest serves the report.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from elbow_core.evaluation.report.figures.drawing import FOLDER, draw_figures
    from elbow_core.evaluation.report.figures.gallery import draw_gallery
    from elbow_core.evaluation.report.figures.style import (
        COLOURS,
        GREY,
        SETTINGS,
        canvas,
        drawn_in_style,
        line_style,
        panels,
        save,
    )
    from elbow_core.evaluation.report.figures.svg import save_svg

__all__ = [
    "COLOURS",
    "FOLDER",
    "GREY",
    "SETTINGS",
    "canvas",
    "draw_figures",
    "draw_gallery",
    "drawn_in_style",
    "line_style",
    "panels",
    "save",
    "save_svg",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "drawing": ["FOLDER", "draw_figures"],
        "gallery": ["draw_gallery"],
        "style": [
            "COLOURS",
            "GREY",
            "SETTINGS",
            "canvas",
            "drawn_in_style",
            "line_style",
            "panels",
            "save",
        ],
        "svg": ["save_svg"],
    },
)
