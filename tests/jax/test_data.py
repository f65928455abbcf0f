import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from elbow_core.dataset import open_prepared, read_manifest, write_manifest
from elbow_core.errors import ArchiveError, ConfigError
from elbow_core.radiographs import NO_AUGMENTATION, Augmentation
from elbow_jax.data import (
    image_ids,
    scoring_batches,
    steps_per_epoch,
    training_batches,
)
from tests.support.small_data import SPLITS, write_prepared


def shuffled(data, **changes: Any):
    settings: dict[str, Any] = {
        "batch_size": 8,
        "seed": 3,
        "copies": 1,
        "augmentation": Augmentation(),
    }
    return training_batches(data, **(settings | changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_prepared(write_prepared(tmp_path_factory.mktemp("prepared")))


def take(iterator, count):
    return list(itertools.islice(iterator, count))


def assert_equal_batches(batches, expected):
    assert len(batches) == len(expected)
    for batch, other in zip(batches, expected, strict=True):
        assert batch.keys() == other.keys()
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name])


def test_batch_has_the_documented_shapes_and_types(data):
    batch = next(shuffled(data))
    described = {name: (array.shape, str(array.dtype)) for name, array in batch.items()}
    assert described == {
        "image": ((8, 32, 32, 1), "uint8"),
        "label": ((8,), "int32"),
        "position": ((8,), "int32"),
        "weight": ((8,), "float32"),
    }


def test_epoch_holds_each_image_once_per_copy(data):
    steps = steps_per_epoch(data, 1, 8)
    batches = take(shuffled(data), steps)
    positions = np.concatenate([batch["position"] for batch in batches])
    assert steps == 6
    np.testing.assert_array_equal(np.bincount(positions), np.full(SPLITS["train"], 2))


def test_originals_are_unchanged_and_copies_are_not(data):
    batches = take(shuffled(data), 6)
    unchanged = [
        np.array_equal(image[..., 0], data.archive[int(position)])
        for batch in batches
        for image, position in zip(batch["image"], batch["position"], strict=True)
    ]
    assert sum(unchanged) == SPLITS["train"]


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory):
    """Prepared data with 12 normal images and 5 injuries in training."""
    folder = write_prepared(tmp_path_factory.mktemp("unbalanced"))
    rows = read_manifest(folder / "manifest.csv")
    injured = [row for row in rows if row.split == "train" and row.label == 1]
    moved = {row.image_id for row in injured[5:]}
    rows = [replace(row, split="test") if row.image_id in moved else row for row in rows]
    (folder / "manifest.csv").unlink()
    write_manifest(folder / "manifest.csv", rows)
    return open_prepared(folder)


def test_balanced_epoch_holds_as_many_images_of_each_class(unbalanced):
    steps = steps_per_epoch(unbalanced, 1, 8, balanced=True)
    batches = take(shuffled(unbalanced, balanced=True), steps)
    labels = np.concatenate([batch["label"] for batch in batches])
    assert steps == 6
    assert list(np.bincount(labels)) == [24, 24]
    times = np.bincount(np.concatenate([batch["position"] for batch in batches]))
    assert sorted(set(times)) == [0, 2, 4, 6]  # of five images, two come three times a round


def test_repeated_image_is_another_augmented_copy(unbalanced):
    batches = take(shuffled(unbalanced, balanced=True), 6)
    images = [image.tobytes() for batch in batches for image in batch["image"]]
    assert len(set(images)) == len(images)


def test_images_of_the_larger_class_are_augmented_alike_with_and_without_balance(unbalanced):
    def normal(**changes):
        return {
            image.tobytes()
            for batch in take(shuffled(unbalanced, batch_size=1, **changes), 48)
            for image, label in zip(batch["image"], batch["label"], strict=True)
            if label == 0
        }

    assert normal(balanced=True) == normal()


def test_labels_equal_the_manifests(data):
    batch = next(shuffled(data))
    assert [data.rows[position].label for position in batch["position"]] == list(batch["label"])


def test_epochs_differ_in_order_and_not_in_copies(data):
    batches = take(shuffled(data), 12)
    epochs = [batches[:6], batches[6:]]
    orders = [np.concatenate([batch["position"] for batch in epoch]) for epoch in epochs]
    assert not np.array_equal(orders[0], orders[1])
    contents = [
        sorted(image.tobytes() for batch in epoch for image in batch["image"]) for epoch in epochs
    ]
    assert contents[0] == contents[1]


def test_epochs_share_no_image_with_redraw(data):
    batches = take(shuffled(data, redraw=True), 12)
    first, second = (
        {image.tobytes() for batch in half for image in batch["image"]}
        for half in (batches[:6], batches[6:])
    )
    assert not first & second


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_the_number_of_workers(data, workers):
    without_workers = take(shuffled(data), 9)
    assert_equal_batches(take(shuffled(data, workers=workers), 9), without_workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_iterator_resumes_exactly_from_a_saved_state(data, workers):
    uninterrupted = take(shuffled(data), 10)
    iterator = shuffled(data, workers=workers)
    take(iterator, 4)
    state = iterator.get_state()
    resumed = shuffled(data, workers=workers)
    resumed.set_state(state)
    assert_equal_batches(take(resumed, 6), uninterrupted[4:])


@pytest.mark.parametrize("batch_size", [8, 10])
def test_processes_share_every_batch_without_overlap(data, batch_size):
    full = take(shuffled(data, batch_size=batch_size), 11)
    parts = [take(shuffled(data, batch_size=batch_size, process=(i, 2)), 11) for i in range(2)]
    for batch, first, second in zip(full, *parts, strict=True):
        positions = np.concatenate([first["position"], second["position"]])
        np.testing.assert_array_equal(positions, batch["position"])


def test_seed_determines_order_and_maps(data):
    one, same, other = (next(shuffled(data, seed=seed)) for seed in (3, 3, 4))
    assert_equal_batches([one], [same])
    assert not np.array_equal(one["image"], other["image"])


def test_copies_without_augmentation_equal_the_originals(data):
    for batch in take(shuffled(data, augmentation=NO_AUGMENTATION), 6):
        for image, position in zip(batch["image"], batch["position"], strict=True):
            np.testing.assert_array_equal(image[..., 0], data.archive[int(position)])


@pytest.mark.parametrize("process_count", [1, 2])
def test_scoring_holds_each_image_once_and_pads_the_last_batch(data, process_count):
    names = []
    for index in range(process_count):
        batches = list(scoring_batches(data, "test", batch_size=4, process=(index, process_count)))
        assert {batch["image"].shape[0] for batch in batches} == {4 // process_count}
        for batch in batches:
            np.testing.assert_array_equal(batch["weight"], batch["position"] >= 0)
            names += image_ids(data, batch["position"])
    assert sorted(names) == [row.image_id for row in data.rows if row.split == "test"]


def test_too_few_images_for_a_batch_is_an_error_before_reading(data):
    with pytest.raises(ConfigError, match="do not fill a batch of 64"):
        shuffled(data, batch_size=64)


def test_batch_that_processes_cannot_share_is_refused(data):
    with pytest.raises(ConfigError, match="cannot be shared by 3 processes"):
        shuffled(data, process=(0, 3))


def test_empty_split_is_refused_by_name(tmp_path):
    write_prepared(tmp_path)
    data = open_prepared(tmp_path)
    with pytest.raises(ConfigError, match="no image in split 'none'"):
        scoring_batches(data, "none", batch_size=4)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ConfigError, match="absent: does not exist"):
        open_prepared(tmp_path / "absent")


def test_manifest_of_another_archive_is_refused(tmp_path):
    write_prepared(tmp_path)
    rows = read_manifest(tmp_path / "manifest.csv")
    write_manifest(tmp_path / "manifest.csv", rows[::-1])
    with pytest.raises(ArchiveError, match="do not list the same images"):
        open_prepared(tmp_path)
