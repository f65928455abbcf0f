"""The images that are explained: files as they are, or a split of prepared data."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from elbow_core.dataset import ManifestRow, PreparedData
from elbow_core.errors import ConfigError, RadiographError
from elbow_core.evaluation.heat_maps import MappedImage, picture_size
from elbow_core.files import sha256_of
from elbow_core.printable import escape
from elbow_core.radiographs import Preprocessing, preprocess, read_radiograph
from elbow_jax.data import scoring_batches

LONG_SIDE = 384
"""Of a picture, in pixels."""

Picture = UInt8[np.ndarray, "rows columns"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Batches of images, and what is known of each by its position.

    Attributes:
        batches: dicts of ``image`` uint8 [B, S, S, 1] and ``position`` int32 [B], -1 for padding;
            read once.
        total: images at most.
        image_of: the id, size and area of the image at a position of a batch that was read.
        picture_of: its radiograph in its own aspect ratio, at most `LONG_SIDE` a side; asked for
            once.
        shown: what the picture is, in words.
    """

    batches: Iterator[dict[str, np.ndarray]]
    total: int
    image_of: Callable[[int], MappedImage]
    picture_of: Callable[[int], Picture]
    shown: str


def whole_image(image_id: str, height: int, width: int) -> MappedImage:
    """Return the entry of an image that is resized to the network's input as a whole."""
    area = (0.0, 0.0, float(width), float(height))
    return MappedImage(image_id=image_id, height=height, width=width, area=area)


def read_images(
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    batch_size: int,
    rejected: list[RadiographError],
) -> Source:
    """Return files as a source, read as they are needed; their ids are their paths.

    An error is appended to ``rejected`` for each file that cannot be read. Only the pictures of the
    batches in flight are held.
    """
    images: dict[int, MappedImage] = {}
    pictures: dict[int, Picture] = {}

    def batches() -> Iterator[dict[str, np.ndarray]]:
        size, settings = preprocessing.size, preprocessing.model_dump()
        inputs = np.zeros((batch_size, size, size, 1), np.uint8)
        positions = np.full(batch_size, -1, np.int32)
        filled = 0
        for position, path in enumerate(paths):
            try:
                grey = read_radiograph(path)
            except RadiographError as error:
                rejected.append(error)
                continue
            images[position] = whole_image(escape(str(path)), *grey.shape)
            pictures[position] = reduced(grey, *grey.shape)
            inputs[filled, ..., 0] = preprocess(grey, **settings)
            positions[filled] = position
            filled += 1
            if filled == batch_size:
                yield {"image": inputs.copy(), "position": positions.copy()}
                positions[:], filled = -1, 0
        if filled:
            yield {"image": inputs, "position": positions}

    return Source(batches(), len(paths), images.pop, pictures.pop, "radiograph")


@dataclass(frozen=True, slots=True)
class Originals:
    """The folder of radiographs that data were prepared from, for pictures before preprocessing."""

    root: Path

    def read(self, row: ManifestRow) -> UInt8[np.ndarray, "height width"]:
        """Return a radiograph; raises `ConfigError` if it is missing or another than was prepared.

        Raises `RadiographError` if it cannot be decoded.
        """
        path = self.root / row.path
        if not path.is_file():
            raise ConfigError(
                f"{path}: does not exist; give --root the folder that the data were prepared from"
            )
        if sha256_of(path) != row.sha256:
            raise ConfigError(f"{path}: is not the file that was prepared; prepare the data again")
        return read_radiograph(path)


def archived_images(
    data: PreparedData, split: str, batch_size: int, originals: Originals | None
) -> Source:
    """Return a split of prepared data as a source; the ids are those of its manifest.

    The archive holds preprocessed squares alone. Without ``originals`` the pictures are those,
    stretched back to the aspect ratio of the radiograph.
    """
    positions = data.positions(split)

    def image_of(position: int) -> MappedImage:
        row = data.rows[position]
        return whole_image(row.image_id, row.height, row.width)

    def picture_of(position: int) -> Picture:
        row = data.rows[position]
        grey = data.archive[position] if originals is None else originals.read(row)
        return reduced(grey, row.height, row.width)

    shown = "preprocessed" if originals is None else "radiograph"
    batches = scoring_batches(data, split, batch_size=batch_size)
    return Source(iter(batches), len(positions), image_of, picture_of, shown)


def reduced(grey: UInt8[np.ndarray, "height width"], height: int, width: int) -> Picture:
    """Return a picture of an image in the aspect ratio of ``height`` and ``width``."""
    rows, columns = picture_size(height, width, LONG_SIDE)
    shrinks = rows < grey.shape[0] and columns < grey.shape[1]
    kind = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(grey, (columns, rows), interpolation=kind)
