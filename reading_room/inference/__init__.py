"""A released model as the reading room uses it: a radiograph to a score, an answer and a heat map.

`Classifier` scores one image at a time, so that a result depends on nothing but the image, the
model and its settings. `Finding` is its result, and `Algorithm` says what gave it.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from reading_room.inference.classifier import Classifier
    from reading_room.inference.findings import (
        Algorithm,
        Answer,
        Finding,
        OperatingPoint,
    )
    from reading_room.inference.operating_points import operating_point
    from reading_room.inference.options import METHODS, add_model_options

__all__ = [
    "METHODS",
    "Algorithm",
    "Answer",
    "Classifier",
    "Finding",
    "OperatingPoint",
    "add_model_options",
    "operating_point",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classifier": ["Classifier"],
        "findings": ["Algorithm", "Answer", "Finding", "OperatingPoint"],
        "operating_points": ["operating_point"],
        "options": ["METHODS", "add_model_options"],
    },
)
