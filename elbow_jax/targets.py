"""What the images of a prepared data set show, and where, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32

from elbow_core.dataset import INJURY_KINDS, PreparedData, read_regions
from elbow_core.errors import ConfigError

MAX_PLACES = 4
"""Places of one image; more are left out."""


@dataclass(frozen=True)
class AuxiliaryTargets:
    """Targets of each image, in the archive's order.

    Attributes:
        classes: the names that the numbers of `finding` and `body_part` stand for.
        numbers: for each of the two, the number of each image.
        places: middle of each injury, x and y in pixels of the prepared image, where pixel 0
            reaches from 0 to 1; NaN where there is none.
        size: side of the prepared images in pixels.
    """

    classes: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, Int32[np.ndarray, " images"]]
    places: Float32[np.ndarray, "images places 2"] | None
    size: int

    def batch(
        self,
        positions: Sequence[int] | Int32[np.ndarray, " batch"],
        matrices: Sequence[np.ndarray | None],
    ) -> dict[str, np.ndarray]:
        """Return the targets of images that were warped by these matrices (None: not at all).

        ``finding`` and ``body_part`` int32 [B]; ``place`` float32 [B, places, 2], x and y as
        fractions of the image, NaN for a place that is not within it.
        """
        index = np.asarray(positions)
        batch = {name: numbers[index] for name, numbers in self.numbers.items()}
        if self.places is not None:
            batch["place"] = np.stack(
                [
                    self._warped(self.places[position], matrix)
                    for position, matrix in zip(positions, matrices, strict=True)
                ]
            )
        return batch

    def _warped(
        self, places: Float32[np.ndarray, "places 2"], matrix: np.ndarray | None
    ) -> Float32[np.ndarray, "places 2"]:
        if matrix is not None:
            places = (places - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
        places = places / self.size
        inside = np.all((places >= 0) & (places < 1), axis=1, keepdims=True)
        return np.where(inside, places, np.nan).astype(np.float32)


def read_targets(data: PreparedData, wanted: Sequence[str]) -> AuxiliaryTargets:
    """Return the targets `wanted`, of ``finding``, ``body_part`` and ``place``, of prepared data.

    Raises:
        ConfigError: if the data do not state one of them.
        ManifestError: if `regions.csv` was damaged.
    """
    classes, numbers = {}, {}
    for name in ("finding", "body_part"):
        if name in wanted:
            values = [getattr(row, name) for row in data.rows]
            classes[name] = tuple(sorted(set(values)))
            if len(classes[name]) < 2:
                raise ConfigError(
                    f"auxiliary.{name}: all images of {data.directory} have the same, "
                    f"{classes[name][0]!r}; leave it out"
                )
            known = {value: number for number, value in enumerate(classes[name])}
            numbers[name] = np.asarray([known[value] for value in values], np.int32)
    places = _read_places(data) if "place" in wanted else None
    return AuxiliaryTargets(classes, numbers, places, data.archive.size)


def _read_places(data: PreparedData) -> Float32[np.ndarray, "images places 2"]:
    size = data.archive.size
    places = np.full((len(data.rows), MAX_PLACES, 2), np.nan, np.float32)
    regions = read_regions(data.directory, data.rows)
    for position, row in enumerate(data.rows):
        found = [region for region in regions.get(row.image_id, []) if region.kind in INJURY_KINDS]
        for number, region in enumerate(found[:MAX_PLACES]):
            x, y = region.centre
            places[position, number] = x * size / row.width, y * size / row.height
    if np.isnan(places).all():
        raise ConfigError(
            f"auxiliary.place: {data.directory} has no regions.csv that says where an injury is; "
            "leave it out"
        )
    return places
