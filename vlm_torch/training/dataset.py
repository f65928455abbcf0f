"""The training set: a prepared split with augmented copies, its order, and its batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset, Sampler, get_worker_info

from elbow_core.dataset import PreparedData
from elbow_core.processes import follow_parent
from elbow_core.radiographs import Augmentation, apply_affine, sample_affine
from vlm_torch.inputs import Normalisation, PromptTokens, answered_inputs


class RadiographDataset(Dataset):
    """The images of a split: the originals, then the first copy of each, then the second, ...

    The affine map of a copy depends on the seed, the image and the number of the copy only.
    """

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
        if get_worker_info() is not None:
            follow_parent()
        copy, row = divmod(index, len(self._positions))
        position = int(self._positions[row])
        image = self._data.archive[position]
        if copy:
            generator = np.random.default_rng((self._seed, position, copy))
            matrix = sample_affine(generator, image.shape[0], self._augmentation)
            image = apply_affine(image, matrix)
        return image, self._data.rows[position].label


@dataclass(frozen=True)
class Collator:
    """Makes a batch of images with their correct answers, as the model takes it."""

    tokens: PromptTokens
    normalise: Normalisation
    loss: str

    def __call__(self, examples: Sequence[tuple[np.ndarray, int]]) -> dict[str, Tensor]:
        """Return ``pixel_values``, ``input_ids``, ``labels`` and the masks of a batch."""
        inputs = answered_inputs(self.tokens, [label for _, label in examples], self.loss)
        return inputs | {"pixel_values": self.normalise([image for image, _ in examples])}


class WholeBatchSampler(Sampler[int]):
    """A new order each epoch, cut to whole batches, the same for any number of processes.

    The images dropped by the cut differ from epoch to epoch.
    """

    def __init__(self, images: int, batch_size: int, seed: int) -> None:
        self._images = images
        self._length = images // batch_size * batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; the Trainer calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self._seed, self._epoch)).permutation(self._images)
        return iter(order[: self._length].tolist())
