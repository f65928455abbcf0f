"""The images of a model's worst errors, as files of the report."""

from collections.abc import Sequence
from pathlib import Path

from elbow_core.dataset import Archive
from elbow_core.evaluation.pages import ArchivedPictures
from elbow_core.evaluation.report.content import WorstError
from elbow_core.evaluation.report.figures.drawing import FOLDER
from elbow_core.evaluation.report.rendering import Gallery, Picture

GALLERY_PIXELS = 288


def draw_gallery(
    folder: Path, model: int, worst: Sequence[WorstError], archive: Archive
) -> Gallery:
    """Write the preprocessed images of one model's worst errors.

    Raises `PredictionsError` for an image that the archive lacks.
    """
    archived = ArchivedPictures(archive, GALLERY_PIXELS)
    pictures = []
    for rank, error in enumerate(worst):
        path = f"{FOLDER}/worst_{model}_{rank:02d}.png"
        (folder / path).write_bytes(archived.png(error.image_id))
        label = "injury" if error.label else "normal"
        caption = f"{error.image_id}: labelled {label}, score {error.score:.3f}"
        pictures.append(Picture(path, f"Preprocessed radiograph {caption}", caption))
    return Gallery(tuple(pictures))
