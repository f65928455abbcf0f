"""Pictures of archived radiographs for pages, by image id."""

import cv2
import numpy as np
from jaxtyping import UInt8

from elbow_core.dataset import Archive
from elbow_core.errors import PredictionsError
from elbow_core.identity import normalise_image_id


class ArchivedPictures:
    """The images of an archive, reduced to at most ``pixels`` a side."""

    def __init__(self, archive: Archive, pixels: int) -> None:
        self._archive = archive
        self._pixels = pixels
        self._positions = {
            normalise_image_id(image_id): position for position, image_id in enumerate(archive.ids)
        }

    def image(self, image_id: str) -> UInt8[np.ndarray, "side side"]:
        """Return one image; raises `PredictionsError` if the archive lacks it."""
        key = normalise_image_id(image_id)
        if key not in self._positions:
            raise PredictionsError(f"image {image_id!r} is not in the archive of the gallery")
        image = self._archive[self._positions[key]]
        if self._archive.size > self._pixels:
            size = (self._pixels, self._pixels)
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return image

    def png(self, image_id: str) -> bytes:
        """Return one image as PNG; raises `PredictionsError` if the archive lacks it."""
        return cv2.imencode(".png", self.image(image_id))[1].tobytes()
