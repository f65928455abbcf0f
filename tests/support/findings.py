"""Findings of no model, to make DICOM objects of."""

from datetime import datetime

import numpy as np

from elbow_core.radiographs import decode_radiograph
from reading_room.dicom import Objects, make_objects, read_source
from reading_room.inference import Algorithm, Finding, OperatingPoint

POINT = OperatingPoint("youden", 0.4, 0.4)
ALGORITHM = Algorithm(
    network="mobilenetv3_large (small)",
    version="0.1.0",
    weights_sha256="ab" * 32,
    card_sha256="cd" * 32,
    labels=("normal", "injury"),
    point=POINT,
    method="grad_cam",
    has_gate=True,
)
MOMENT = datetime(2026, 1, 2, 3, 4, 5)


def finding_of(data: bytes, score: float = 0.87, distance: float | None = 0.4) -> Finding:
    """Return a finding of a radiograph, with a warm region in the upper half."""
    heat = np.zeros((32, 32), np.float32)
    heat[8:14, 10:20] = np.random.default_rng(0).uniform(0.6, 1.0, (6, 10))
    heat[30, 30] = 1.0  # a hot spot, smaller than the region
    grey = decode_radiograph(data, "radiograph")
    return Finding(score, POINT.answer(score), distance, heat, grey)


def objects_of(
    data: bytes,
    score: float = 0.87,
    distance: float | None = 0.4,
    algorithm: Algorithm = ALGORITHM,
    moment: datetime = MOMENT,
) -> Objects:
    """Return the objects of a radiograph."""
    finding = finding_of(data, score, distance)
    return make_objects(read_source(data, "radiograph"), finding, algorithm, moment)
