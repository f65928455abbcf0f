"""Radiographs as pixel values, and a check of prepared data before they are used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from elbow_core.dataset import PreparedData
from elbow_core.errors import ArchiveError, ConfigError


@dataclass(frozen=True)
class Normalisation:
    """A checkpoint's mean and standard deviation of each colour channel, on the scale 0..1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(
        self, images: Sequence[UInt8[np.ndarray, "size size"]]
    ) -> Float32[Tensor, "images channels size size"]:
        """Scale grey levels from 0..255 to 0..1, repeat them in every channel, and normalise."""
        grey = torch.from_numpy(np.stack(images).astype(np.float32))[:, None] / 255
        mean = torch.tensor(self.mean)[:, None, None]
        return (grey - mean) / torch.tensor(self.deviation)[:, None, None]


def require_images(data: PreparedData, splits: Sequence[str], size: int) -> None:
    """Check that each split has images, that they have this size, and that all can be read.

    Raises:
        ConfigError: an empty split, or images of another size than the model's.
        ArchiveError: an unreadable image; the message names it.
    """
    if data.archive.size != size:
        raise ConfigError(
            f"{data.directory}: holds images of {data.archive.size} pixels a side, the model takes "
            f"{size}; prepare them with --preprocess.size {size}"
        )
    for split in splits:
        positions = data.positions(split)
        if not len(positions):
            raise ConfigError(f"{data.directory}: no image in split {split!r}")
        for position in positions.tolist():
            try:
                data.archive[position]
            except ArchiveError as error:
                raise ArchiveError(f"image {data.rows[position].image_id}: {error}") from error
