"""The centre prior: where boxes of the training images lie, as one map for every image.

A heat map that finds fractures no better than this map, which has not seen the image, explains
nothing: elbows are centred, and so are most of their fractures.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from elbow_core.errors import HeatMapError
from elbow_core.evaluation.localisation.boxes import boxes_in_map, coverage
from elbow_core.evaluation.localisation.cases import Case

SIDE = 128
"""Pixels a side of the prior."""
LABEL = "centre prior"


@dataclass(frozen=True, slots=True, eq=False)
class CentrePrior:
    """The mean of the masks of the boxes of ``images`` training images, and their number."""

    values: Float32[np.ndarray, "side side"]
    images: int
    boxes: int


def fit_centre_prior(cases: Iterable[Case], side: int = SIDE) -> CentrePrior:
    """Return the prior of the training images among which some are injured and have boxes.

    Each image is stretched to ``side`` x ``side`` pixels, as the networks see it. A pixel of the
    prior is the mean share of it that the boxes of an image cover.

    Raises `HeatMapError` if no training image has a box.
    """
    total, images, boxes = np.zeros((side, side)), 0, 0
    for case in cases:
        if case.role == "located":
            whole = (0.0, 0.0, float(case.width), float(case.height))
            total += coverage(boxes_in_map(case.boxes, whole, side, side), side, side)
            images += 1
            boxes += len(case.boxes)
    if not images:
        raise HeatMapError(
            "the centre prior cannot be fitted: no injured image of the training split has a box "
            "in regions.csv"
        )
    return CentrePrior((total / images).astype(np.float32), images, boxes)
