"""Images for training and scoring: a prepared archive as torch sees it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from elbow_core.dataset.prepared import PreparedData
from elbow_core.errors import ArchiveError, ConfigError
from elbow_core.radiographs import Augmentation, apply_affine, sample_affine
from vlm_torch.tokens import PromptTokens, answered_inputs


@dataclass(frozen=True)
class Normalisation:
    """How a checkpoint scales grey levels for its tower, one mean and deviation a channel."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(
        self, images: Sequence[UInt8[np.ndarray, "size size"]]
    ) -> Float32[Tensor, "images channels size size"]:
        """Scale 0..255 to 0..1, then by mean and deviation, the grey level in every channel."""
        grey = torch.from_numpy(np.stack(images).astype(np.float32))[:, None] / 255
        mean = torch.tensor(self.mean)[:, None, None]
        return (grey - mean) / torch.tensor(self.deviation)[:, None, None]


class Radiographs(Dataset):
    """The images of a split: originals first, then copy after copy, each by its own affine map."""

    def __init__(
        self, data: PreparedData, split: str, seed: int, copies: int, augmentation: Augmentation
    ) -> None:
        self._data = data
        self._positions = data.positions(split)
        self._seed = seed
        self._copies = copies
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self._positions) * (1 + self._copies)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """Return one image, uint8 [size, size], and its label."""
        copy, within = divmod(index, len(self._positions))
        position = int(self._positions[within])
        image = self._data.archive[position]
        if copy:
            generator = np.random.default_rng((self._seed, position, copy))
            image = apply_affine(
                image, sample_affine(generator, image.shape[0], self._augmentation)
            )
        return image, self._data.rows[position].label


@dataclass(frozen=True)
class Collate:
    """Join images into what the model takes, each with its right answer."""

    tokens: PromptTokens
    normalise: Normalisation
    loss: str

    def __call__(self, examples: Sequence[tuple[np.ndarray, int]]) -> dict[str, Tensor]:
        """Return ``pixel_values``, ``input_ids``, ``labels`` and the masks of a batch."""
        inputs = answered_inputs(self.tokens, [label for _, label in examples], self.loss)
        return inputs | {"pixel_values": self.normalise([image for image, _ in examples])}


class WholeBatches(Sampler[int]):
    """A new order in each epoch, cut to whole batches, the same for any number of processes.

    What does not fill a batch differs from epoch to epoch.
    """

    def __init__(self, images: int, batch_size: int, seed: int) -> None:
        self._images = images
        self._kept = images // batch_size * batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; the Trainer calls it."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._kept

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self._seed, self._epoch)).permutation(self._images)
        return iter(order[: self._kept].tolist())


def require_images(data: PreparedData, splits: Sequence[str], size: int) -> None:
    """Check, before any work, that each split has images of this size and that all can be read.

    Raises:
        ConfigError: an empty split, or images of another size than the model takes.
        ArchiveError: an image that cannot be read; the message names it.
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
