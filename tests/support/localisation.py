"""Reports of localisation from small prepared data: maps, comparison, files."""

from pathlib import Path
from typing import Any

import numpy as np

from elbow_core.dataset import ManifestRow, PreparedData, read_regions
from elbow_core.evaluation.localisation import (
    LocalisationSettings,
    compare_maps,
    write_localisation,
)

FEW = LocalisationSettings(draws=200)


def perfect(data: PreparedData, side: int = 32):
    """Maps that are 1 in the boxes and 0 elsewhere; on normal images 0."""
    regions = read_regions(data.directory, data.rows)

    def map_of(row: ManifestRow) -> np.ndarray:
        values = np.zeros((side, side))
        for box in regions.get(row.image_id, []):
            top, left = int(box.y), int(box.x)
            values[top : top + 8, left : left + 8] = 1
        return values

    return map_of


def noise(row: ManifestRow) -> np.ndarray:
    """A map of random values, seeded by the image's id."""
    seed = sum(map(ord, row.image_id))
    return np.random.default_rng(seed).random((32, 32))


def judge(data: PreparedData, *sets: Path) -> dict[str, Any]:
    """Compare sets of maps; return the content of localisation.json."""
    return compare_maps(sets, data.directory, FEW).to_json()


def report(data: PreparedData, *sets: Path, out: str = "out") -> dict[str, Any]:
    """Write the report of sets of maps beside the data; return what localisation.json says."""
    comparison = compare_maps(sets, data.directory, FEW)
    return write_localisation(comparison, data.directory.parent / out)


def values_of(written: dict[str, Any], label: str) -> dict[str, float]:
    """The value of each measure of a set of maps."""
    return {name: row["value"] for name, row in written["sets"][label]["measures"].items()}
