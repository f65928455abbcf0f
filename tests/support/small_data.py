"""Small prepared data for tests of training: noise, with a bright square for injuries."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import (
    REGIONS_FILE,
    ManifestRow,
    Region,
    write_archive,
    write_manifest,
    write_regions,
)
from elbow_core.radiographs import Preprocessing

SIZE = 32
SPLITS = {"train": 24, "validation": 10, "test": 11}


def write_prepared(
    directory: Path,
    size: int = SIZE,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    splits: Mapping[str, int] = SPLITS,
) -> Path:
    """Write a prepared directory with the counts of ``splits``, one image per patient.

    ``settings`` are those of its preprocessing, by default the usual ones.
    """
    rng = np.random.default_rng(seed)
    rows, images, regions = [], [], []
    for split, count in splits.items():
        for number in range(count):
            label = number % 2
            image = rng.integers(0, 90, (size, size))
            top, left = rng.integers(4, size - 12, 2)
            image[top : top + 8, left : left + 8] += 130 * label
            images.append(image.astype(np.uint8))
            name = f"{split}_{number:02d}"
            if label:
                box = Region("fracture", float(left), float(top), 8.0, 8.0)
                regions.append((len(rows), [box]))
            rows.append(
                ManifestRow(
                    image_id=name,
                    path=f"{name}.png",
                    label=label,
                    split=split,
                    patient_id=f"patient_{name}",
                    study_id=f"study_{name}",
                    view="ap",
                    body_part="elbow",
                    finding="fracture" if label else "normal",
                    source="blobs",
                    sha256=f"{len(rows) + 1000 * seed:064x}",
                    height=size,
                    width=size,
                )
            )
    settings = settings or Preprocessing(size=size).model_dump(mode="json")
    write_archive(directory, [row.image_id for row in rows], images, settings)
    write_manifest(directory / "manifest.csv", rows)
    boxes = [(rows[position], found) for position, found in regions]
    write_regions(directory / REGIONS_FILE, boxes, directory)
    return directory
