"""A small prepared folder with wrong labels, scores that doubt them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from elbow_core.dataset import ManifestRow, PreparedData
from elbow_core.evaluation import predictions_of_rows, write_predictions
from elbow_core.prepare import DataConfig
from tests.support.prepare_folders import prepare_and_open, write_images
from tests.support.tiny_images import make_image, write

WRONG = ("normal/p00_0.png", "injury/p01_1.jpg")
"""Images whose scores contradict their labels, the most doubtful first."""
PAIR = ("injury/p03_0.png", "normal/p90_0.png")
"""Near-duplicates with contradicting labels, the more doubtful first."""


def write_data(folder: Path, key: bytes | None = None) -> tuple[DataConfig, PreparedData]:
    """Prepare 49 images, with hashed ids if a key is given; one is another's near-duplicate."""
    config = write_images(folder)
    copy = make_image(6, 43, 48)
    copy[0, 0] += 1
    write(config.root / PAIR[1], copy)
    return config, prepare_and_open(config, folder / "prepared", key=key)


def write_scores(path: Path, rows: Sequence[ManifestRow]) -> Path:
    """Write scores that are right with some doubt, but for those of `WRONG` and `PAIR`."""
    doubts = {WRONG[0]: 0.99, WRONG[1]: 0.97, PAIR[0]: 0.6, PAIR[1]: 0.1}
    doubt = np.array([doubts.get(row.path, 0.05 + 0.001 * k) for k, row in enumerate(rows)])
    label = np.array([row.label for row in rows])
    score = np.where(label == 1, 1 - doubt, doubt)
    calls = (score >= 0.5).astype(np.int64)
    write_predictions(path, predictions_of_rows(rows, score, calls, "small network"))
    return path


def renamed(rows: Sequence[ManifestRow], name: str) -> list[ManifestRow]:
    """Return the rows with another id for the first of `WRONG`."""
    return [replace(row, image_id=name) if row.path == WRONG[0] else row for row in rows]
