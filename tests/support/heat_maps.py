"""Sets of heat maps of small prepared data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import ManifestRow, PreparedData
from elbow_core.evaluation.heat_maps import MappedImage, MapsCard, write_maps


def card_of(rows: list[ManifestRow], size: tuple[int, int], **changes: Any) -> MapsCard:
    """The card of maps of whole images."""
    images = tuple(
        MappedImage(
            image_id=row.image_id,
            height=row.height,
            width=row.width,
            area=(0.0, 0.0, float(row.width), float(row.height)),
        )
        for row in rows
    )
    values = {"format": 1, "method": "Grad-CAM", "network": "small", "weights": "trained"}
    return MapsCard(**(values | changes), height=size[0], width=size[1], images=images)


def write_set(
    directory: Path,
    data: PreparedData,
    map_of: Callable[[ManifestRow], np.ndarray],
    split: str = "test",
    **changes: Any,
) -> Path:
    """Write the maps of the images of a split, each by a function of its row; return the folder."""
    rows = [row for row in data.rows if row.split == split]
    maps = [np.asarray(map_of(row), np.float32) for row in rows]
    height, width = maps[0].shape
    write_maps(directory, card_of(rows, (height, width), **changes), maps)
    return directory
