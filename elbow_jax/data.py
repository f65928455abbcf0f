"""Batches for training and scoring: a prepared archive, read through Grain.

Every element is a pure function of its position, so that batches do not depend on the number of
workers or processes, and a run can resume at any step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import grain
import numpy as np

from elbow_core.dataset import PreparedData
from elbow_core.errors import ConfigError
from elbow_core.processes import ReadAhead
from elbow_core.radiographs import Augmentation, apply_affine, sample_affine
from elbow_jax.targets import AuxiliaryTargets


@runtime_checkable
class Batches(Protocol):
    """An iterator over batches whose state, a position, does not depend on its workers."""

    def __iter__(self) -> "Batches": ...

    def __next__(self) -> dict[str, np.ndarray]: ...

    def get_state(self) -> dict[str, Any]:
        """Return the position after the last batch."""
        ...

    def set_state(self, state: Any) -> None:
        """Continue at a position."""
        ...

    def close(self) -> None:
        """End the threads or processes that read."""
        ...


@dataclass(frozen=True)
class _Plan:
    """One image of a batch: position in the archive (-1: padding), and affine map or None."""

    position: int
    matrix: np.ndarray | None = None


@dataclass(frozen=True)
class _PlanTraining:
    """Plan one image of the augmented training set, with an affine map from its own seed.

    The set is ``1 + copies`` times the split: the originals, then each round of copies. An image
    that is repeated to balance the classes is an augmented copy from the second time on.
    """

    positions: np.ndarray
    repeats: np.ndarray
    size: int
    augmentation: Augmentation
    seed: int
    copies: int
    redraw: bool

    def __call__(self, index: int, element: Any) -> _Plan:
        epoch = index // (len(self.positions) * (1 + self.copies))
        copy, index_in_split = divmod(int(element), len(self.positions))
        position = int(self.positions[index_in_split])
        copy += (1 + self.copies) * int(self.repeats[index_in_split])
        if copy == 0 and not self.redraw:
            return _Plan(position)
        seeds = (self.seed, position, copy, epoch) if self.redraw else (self.seed, position, copy)
        generator = np.random.default_rng(seeds)
        return _Plan(position, sample_affine(generator, self.size, self.augmentation))


@dataclass(frozen=True)
class _PlanScoring:
    """Plan one image without augmentation; padding after the end of the split."""

    positions: np.ndarray

    def __call__(self, element: Any) -> _Plan:
        return _Plan(int(self.positions[element]) if element < len(self.positions) else -1)


@dataclass(frozen=True)
class _Load:
    """Read and warp this process's share of a batch, writing each image into the batch's array.

    A share is a contiguous part of the batch, so that its order does not depend on the number of
    processes. Stacking separate images would allocate the memory twice; its page faults took a
    sixth of the loader's time.
    """

    data: PreparedData
    process: tuple[int, int]
    targets: AuxiliaryTargets | None = None

    def __call__(self, plans: Sequence[_Plan]) -> dict[str, np.ndarray]:
        index, count = self.process
        share = len(plans) // count
        plans = plans[index * share : (index + 1) * share]
        size = self.data.archive.size
        images = np.empty((len(plans), size, size, 1), np.uint8)
        for image, plan in zip(images[..., 0], plans, strict=True):
            if plan.position < 0:
                image[:] = 0
            elif plan.matrix is None:
                image[:] = self.data.archive[plan.position]
            else:
                apply_affine(self.data.archive[plan.position], plan.matrix, out=image)
        position = np.asarray([plan.position for plan in plans], np.int32)
        label = [self.data.rows[index].label if index >= 0 else 0 for index in position]
        batch = {
            "image": images,
            "label": np.asarray(label, np.int32),
            "position": position,
            "weight": (position >= 0).astype(np.float32),
        }
        if self.targets is not None:
            batch |= self.targets.batch(position, [plan.matrix for plan in plans])
        return batch


def training_positions(data: PreparedData, balanced: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the archive positions of one round of the training set, and the count of repeats.

    If ``balanced``, the images of the smaller class are repeated in turn, after all others, until
    both classes have the same number; the second array numbers the times of each image from 0.
    """
    positions = np.asarray(data.positions("train"))
    repeats = np.zeros(len(positions), np.int64)
    labels = np.asarray([data.rows[position].label for position in positions])
    counts = np.bincount(labels, minlength=2)
    if not balanced or not counts.all():
        return positions, repeats
    smaller = positions[labels == np.argmin(counts)]
    added = np.arange(len(smaller), counts.max())
    return (
        np.concatenate([positions, smaller[added % len(smaller)]]),
        np.concatenate([repeats, added // len(smaller)]),
    )


def steps_per_epoch(
    data: PreparedData, copies: int, batch_size: int, balanced: bool = False
) -> int:
    """Return the number of complete batches in one pass over the augmented training set.

    Raises:
        ConfigError: if the set is smaller than a batch.
    """
    images = len(training_positions(data, balanced)[0])
    if images * (1 + copies) < batch_size:
        raise ConfigError(
            f"{data.directory}: {images} training images with {copies} copies do not fill a batch "
            f"of {batch_size}; lower batch_size or raise data.copies"
        )
    return images * (1 + copies) // batch_size


def training_batches(
    data: PreparedData,
    *,
    batch_size: int,
    seed: int,
    copies: int,
    augmentation: Augmentation,
    redraw: bool = False,
    balanced: bool = False,
    workers: int = 0,
    process: tuple[int, int] = (0, 1),
    targets: AuxiliaryTargets | None = None,
) -> Batches:
    """Return an endless, resumable iterator over shuffled, augmented training batches.

    A batch is a dict: ``image`` uint8 [B, S, S, 1], ``label`` int32 [B], ``position`` int32 [B]
    (in the archive) and ``weight`` float32 [B]. Each epoch is a new order of the originals and
    their ``copies``; images that do not fill a last batch are left out, others in each epoch.

    Args:
        data: prepared data with a ``train`` split.
        batch_size: images of the global batch, over all processes.
        seed: of the order and of the affine maps.
        copies: augmented copies of each image in addition to the original (the paper: 2, MURA 1).
        augmentation: distribution of the copies' affine maps.
        redraw: sample new affine maps in each epoch, for the originals too, instead of fixed ones.
        balanced: repeat images of the smaller class until both classes are equal.
        workers: processes that read; 0 reads in threads of this process. Batches are the same.
        process: this process's index and the number of processes; each gets its share of every
            batch.
        targets: further entries of each batch (see `AuxiliaryTargets.batch`).

    Raises:
        ConfigError: if the split is smaller than a batch or a batch cannot be shared evenly.
    """
    positions, repeats = training_positions(data, balanced)
    steps = steps_per_epoch(data, copies, batch_size, balanced)
    if batch_size % process[1]:
        raise ConfigError(f"batch_size: {batch_size} cannot be shared by {process[1]} processes")
    size = data.archive.size
    plan = _PlanTraining(positions, repeats, size, augmentation, seed, copies, redraw)
    dataset = (
        grain.MapDataset.range(len(positions) * (1 + copies))
        .shuffle(seed=seed)
        .map_with_index(plan)[: steps * batch_size]
        .batch(batch_size, drop_remainder=True, batch_fn=_Load(data, process, targets))
        .repeat()
    )
    return _read_ahead(dataset, workers)


def scoring_batches(
    data: PreparedData,
    split: str,
    *,
    batch_size: int,
    workers: int = 0,
    process: tuple[int, int] = (0, 1),
) -> Batches:
    """Return an iterator over the images of a split, once each, in manifest order.

    Batches have the format of `training_batches`; the last one is padded with blank images of
    weight 0 and position -1, so that all batches have one shape.

    Raises:
        ConfigError: if the split has no image.
    """
    positions = data.positions(split)
    if not len(positions):
        raise ConfigError(f"{data.directory}: no image in split {split!r}")
    batches = -(-len(positions) // batch_size)
    dataset = (
        grain.MapDataset.range(batches * batch_size)
        .map(_PlanScoring(positions))
        .batch(batch_size, drop_remainder=True, batch_fn=_Load(data, process))
    )
    return _read_ahead(dataset, workers)


def position_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of `Batches` from one in a checkpoint.

    Grain's worker processes, which earlier versions of this project used, recorded one position for
    each process.
    """
    if "iterators_in_use_states" not in state:
        return dict(state)
    return {"next_index": sum(part["next_index"] for part in state["iterators_in_use_states"])}


def _read_ahead(dataset: grain.MapDataset, workers: int) -> Batches:
    """Read batches ahead of the device, in threads or in worker processes."""
    if workers == 0:
        return iter(
            dataset.to_iter_dataset(grain.ReadOptions(num_threads=2, prefetch_buffer_size=4))
        )
    # Not Grain's processes: they keep reading, and keep shared memory, after this one was killed.
    items: Any = dataset  # Grain types an index as a number or a slice
    return ReadAhead(items, workers)


def image_ids(data: PreparedData, positions: Sequence[int] | np.ndarray) -> list[str]:
    """Return the ids of the images at these positions, without padding."""
    return [data.rows[int(position)].image_id for position in positions if position >= 0]
