"""The images of a model's worst errors, as files of the report."""

from collections.abc import Sequence
from pathlib import Path

import cv2

from elbow_core.dataset import Archive
from elbow_core.errors import PredictionsError
from elbow_core.evaluation.report.content import WorstError
from elbow_core.evaluation.report.figures.drawing import FOLDER
from elbow_core.evaluation.report.rendering import Gallery, Picture
from elbow_core.identity import normalise_image_id

GALLERY_PIXELS = 288


def draw_gallery(
    folder: Path, model: int, worst: Sequence[WorstError], archive: Archive
) -> Gallery:
    """Write the preprocessed images of one model's worst errors.

    Raises `PredictionsError` for an image that the archive lacks.
    """
    position = {normalise_image_id(image_id): index for index, image_id in enumerate(archive.ids)}
    pictures = []
    for rank, error in enumerate(worst):
        key = normalise_image_id(error.image_id)
        if key not in position:
            raise PredictionsError(f"image {error.image_id!r} is not in the archive of the gallery")
        image = archive[position[key]]
        if archive.size > GALLERY_PIXELS:
            image = cv2.resize(
                image, (GALLERY_PIXELS, GALLERY_PIXELS), interpolation=cv2.INTER_AREA
            )
        path = f"{FOLDER}/worst_{model}_{rank:02d}.png"
        (folder / path).write_bytes(cv2.imencode(".png", image)[1].tobytes())
        label = "injury" if error.label else "normal"
        caption = f"{error.image_id}: labelled {label}, score {error.score:.3f}"
        pictures.append(Picture(path, f"Preprocessed radiograph {caption}", caption))
    return Gallery(tuple(pictures))
