"""Heat maps in a report: beside the worst errors, and over a random sample."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from elbow_core.dataset import Archive
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.heat_maps import (
    NO_EVIDENCE,
    HeatMaps,
    open_maps,
    overlay_heat,
    picture_size,
)
from elbow_core.evaluation.pages import ArchivedPictures
from elbow_core.evaluation.predictions import Predictions
from elbow_core.evaluation.report.content import ModelSummary
from elbow_core.evaluation.report.figures import FOLDER
from elbow_core.evaluation.report.rendering import Block, Gallery, Heading, Paragraph, Picture
from elbow_core.identity import normalise_image_id

SAMPLE = 8
"""Images of the random sample."""
_LONG_SIDE = 288
"""Of a picture, in pixels."""

NO_PROOF = (
    "A heat map shows which parts of an image raise the network's score. It is not the outline of "
    "an injury, not a second opinion, and no proof that the score is right or is given for the "
    "right reason. How often such maps lie where the injury is, a report of "
    "elbow_core.evaluation.localisation measures."
)


@dataclass(frozen=True, slots=True, eq=False)
class MapsOfModel:
    """A set of heat maps, and what the report shows of it."""

    maps: HeatMaps
    worst: Mapping[int, Picture]
    """Maps of the model's worst errors, by the rank of the error."""
    missing: int
    """Worst errors without one."""
    sample: Gallery
    """Images drawn at random from those with a map."""

    @property
    def model(self) -> str:
        """The name of the model that the maps are of."""
        return self.maps.card.network


def open_sets(directories: Iterable[Path | str], models: Sequence[str]) -> list[HeatMaps]:
    """Open the sets of heat maps of a report.

    Raises `HeatMapError` for one that violates the format, and `PredictionsError` for one of random
    weights, or of a network that is no model of the report.
    """
    sets = [open_maps(Path(directory)) for directory in directories]
    for maps in sets:
        if maps.card.weights != "trained":
            raise PredictionsError(
                f"{maps.directory}: is of random weights, a baseline for "
                "`python -m elbow_core.evaluation.localisation` and no map of a model"
            )
        if maps.card.network not in models:
            raise PredictionsError(
                f"{maps.directory}: explains {maps.card.network!r}, which is no model of this "
                f"report; they are {', '.join(map(repr, models))}"
            )
    return sets


def draw_maps(
    folder: Path,
    sets: Sequence[HeatMaps],
    predictions: Mapping[str, Predictions],
    models: Mapping[str, ModelSummary],
    archive: Archive,
    seed: int,
) -> list[MapsOfModel]:
    """Write the pictures of all sets of heat maps into the folder of a report.

    The radiographs are those of the archive, preprocessed, in their own aspect ratio. The sample is
    drawn by ``seed``, the same images for every set of equal images.

    Raises `PredictionsError` for an image that the archive lacks, or a set without an image of the
    report, and `HeatMapError` for a damaged map.
    """
    archived = ArchivedPictures(archive, _LONG_SIDE)
    found = []
    for number, maps in enumerate(sets):
        model = predictions[maps.card.network]
        known = {normalise_image_id(name): row for row, name in enumerate(model.image_id.tolist())}
        places = {
            normalise_image_id(image.image_id): place
            for place, image in enumerate(maps.card.images)
        }
        shared = [key for key in known if key in places]
        if not shared:
            raise PredictionsError(f"{maps.directory}: has no map of an image of this report")
        worst = [normalise_image_id(error.image_id) for error in models[model.model].worst]
        order = np.random.default_rng(seed).permutation(len(shared))[:SAMPLE]
        chosen = {
            "worst": [(rank, key) for rank, key in enumerate(worst) if key in places],
            "sample": list(enumerate(shared[index] for index in sorted(order.tolist()))),
        }
        drawn = {
            name: {
                rank: _draw(
                    folder / FOLDER,
                    f"map_{number}_{name}_{rank:02d}.png",
                    maps,
                    places[key],
                    archived,
                    _caption(model, known[key]),
                )
                for rank, key in ranked
            }
            for name, ranked in chosen.items()
        }
        missing = len(worst) - len(drawn["worst"])
        sample = Gallery(tuple(drawn["sample"].values()))
        found.append(MapsOfModel(maps, drawn["worst"], missing, sample))
    return found


def worst_blocks(gallery: Gallery, maps: Sequence[MapsOfModel]) -> list[Block]:
    """Return a model's worst errors, each with its maps beside it, and what has no map."""
    if not maps:
        return [gallery]
    pictures = []
    for rank, picture in enumerate(gallery.pictures):
        beside = tuple(row.worst[rank] for row in maps if rank in row.worst)
        # The caption of a map adds to that of its image.
        added = dict.fromkeys(one.caption.removeprefix(picture.caption) for one in beside)
        caption = "".join((picture.caption, *added))
        pictures.append(replace(picture, caption=caption, beside=beside))
    labels = " and ".join(row.maps.card.label for row in maps)
    blocks: list[Block] = [Paragraph(f"Beside each image: {labels}."), Gallery(tuple(pictures))]
    blocks += [
        Paragraph(f"{row.maps.card.label}: {row.missing} of the worst errors have no map.")
        for row in maps
        if row.missing
    ]
    return blocks


def maps_blocks(found: Sequence[MapsOfModel]) -> list[Block]:
    """Return the section; empty where no maps were given."""
    if not found:
        return []
    blocks: list[Block] = [
        Heading(2, "Heat maps"),
        Paragraph(NO_PROOF),
        Paragraph(
            "Preprocessed radiographs in their own aspect ratio; each map is scaled to its own "
            "maximum, so brightness cannot be compared between images. The maps of the worst "
            "errors stand beside those."
        ),
    ]
    for row in found:
        blocks += [Heading(3, f"{row.maps.card.label}: a random sample"), row.sample]
    return blocks


def _draw(
    folder: Path,
    name: str,
    maps: HeatMaps,
    place: int,
    archived: ArchivedPictures,
    caption: str,
) -> Picture:
    image = maps.card.images[place]
    rows, columns = picture_size(image.height, image.width, _LONG_SIDE)
    grey = cv2.resize(archived.image(image.image_id), (columns, rows))
    values = maps[place]
    picture = overlay_heat(grey, values, image.area, image.height, image.width)
    (folder / name).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    if not values.any():
        caption = f"{caption}; {NO_EVIDENCE}"
    alt = f"Preprocessed radiograph under its heat map. {caption}"
    return Picture(f"{FOLDER}/{name}", alt, caption)


def _caption(model: Predictions, row: int) -> str:
    label = "injury" if model.label[row] else "normal"
    return f"{model.image_id[row]}: labelled {label}, score {model.score[row]:.3f}"
