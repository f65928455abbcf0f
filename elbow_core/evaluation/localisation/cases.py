"""The images that heat maps are judged on: their labels, patients and boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from elbow_core.dataset import INJURY_KINDS, ManifestRow, Region
from elbow_core.errors import HeatMapError
from elbow_core.evaluation.heat_maps import HeatMaps
from elbow_core.evaluation.localisation.boxes import boxes_of
from elbow_core.identity import normalise_image_id

Role = Literal["located", "normal", "unlocated", "contradictory"]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One image; ``boxes`` are those of its injuries, in pixels of the radiograph.

    An injured image with a box is ``located``: it counts for every measure. A ``normal`` image
    without a box counts for the false marks. Left out are an injured image without a box
    (``unlocated``: a mark on it may be right) and a normal image with one (``contradictory``).
    """

    image_id: str
    patient_id: str
    height: int
    width: int
    boxes: Float64[np.ndarray, "boxes 4"]
    role: Role
    body_part: str = ""


def case_of(row: ManifestRow, regions: Sequence[Region]) -> Case:
    """Return the case of an image with these regions."""
    boxes = boxes_of(regions, INJURY_KINDS, row.height, row.width)
    if row.label:
        role = "located" if len(boxes) else "unlocated"
    else:
        role = "contradictory" if len(boxes) else "normal"
    return Case(row.image_id, row.patient_id, row.height, row.width, boxes, role, row.body_part)


def cases_of(
    sets: Sequence[HeatMaps],
    rows: Sequence[ManifestRow],
    regions: Mapping[str, Sequence[Region]],
) -> list[Case]:
    """Return the images that all sets of maps cover, in the order of the first set.

    Ids are compared by `elbow_core.identity.normalise_image_id`.

    Raises:
        HeatMapError: if an image is not among ``rows``, has another size there, or is one of the
            training split, whose boxes the centre prior knows; if two sets cover different images;
            or if no injured image has a box.
    """
    known = {normalise_image_id(row.image_id): row for row in rows}
    for maps in sets:
        for image in maps.card.images:
            row = known.get(normalise_image_id(image.image_id))
            if row is None:
                raise HeatMapError(
                    f"{maps.directory}: image {image.image_id!r} is not in the prepared data"
                )
            if (row.height, row.width) != (image.height, image.width):
                raise HeatMapError(
                    f"{maps.directory}: image {image.image_id!r} has {image.height} x "
                    f"{image.width} pixels on the card, but {row.height} x {row.width} in the "
                    "manifest"
                )
            if row.split == "train":
                raise HeatMapError(
                    f"{maps.directory}: image {image.image_id!r} is of the training split, from "
                    "which the centre prior is fitted; give maps of other images"
                )
    _require_same_images(sets)
    cases = []
    for image in sets[0].card.images:
        row = known[normalise_image_id(image.image_id)]
        cases.append(case_of(row, regions.get(row.image_id, ())))
    if not any(case.role == "located" for case in cases):
        raise HeatMapError(
            f"{sets[0].directory}: none of its {len(cases)} images is injured and has a box of "
            f"{' or '.join(INJURY_KINDS)} in regions.csv"
        )
    return cases


def positions_of(maps: HeatMaps) -> dict[str, int]:
    """Return the position of each image's map on the card, by the normal form of its id."""
    return {
        normalise_image_id(image.image_id): position
        for position, image in enumerate(maps.card.images)
    }


def _require_same_images(sets: Sequence[HeatMaps]) -> None:
    first = positions_of(sets[0])
    for maps in sets[1:]:
        other = positions_of(maps)
        for absent, there in ((first.keys() - other.keys(), maps), (other.keys() - first, sets[0])):
            if absent:
                raise HeatMapError(
                    f"{there.directory}: has no map of image {min(absent)!r}; sets of maps are "
                    "compared on the same images"
                )
