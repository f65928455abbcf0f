from pathlib import Path

import numpy as np
import pytest

from elbow_core.dataset import PreparedData, open_prepared
from elbow_core.errors import ArchiveError, ConfigError, ManifestError
from elbow_core.radiographs import (
    NO_AUGMENTATION,
    Augmentation,
    apply_affine,
    sample_affine,
)
from tests.support.commands import error_of
from tests.support.small_data import SPLITS, write_prepared
from tests.support.vlm_runs import write_config
from vlm_torch import finetune
from vlm_torch.inputs import require_images
from vlm_torch.training.dataset import RadiographDataset, WholeBatchSampler


@pytest.fixture
def data(tmp_path) -> PreparedData:
    return open_prepared(write_prepared(tmp_path / "data"))


def damage(directory: Path, position: int, size: int) -> None:
    """Overwrite part of a record, so that its checksum no longer matches."""
    (segment,) = directory.glob("images-*.array_record")
    content = bytearray(segment.read_bytes())
    data = open_prepared(directory)
    pixels = data.archive[position].tobytes()
    start = bytes(content).find(pixels)
    assert start > 0
    content[start : start + size] = bytes(size)
    segment.write_bytes(content)


def test_training_set_is_the_originals_then_copies_each_with_its_own_seed(data):
    augmentation = Augmentation()
    images = RadiographDataset(data, "train", 7, 2, augmentation)
    positions = data.positions("train")
    assert len(images) == 3 * SPLITS["train"]
    original, label = images[5]
    np.testing.assert_array_equal(original, data.archive[int(positions[5])])
    assert label == data.rows[positions[5]].label
    generator = np.random.default_rng((7, int(positions[5]), 2))
    matrix = sample_affine(generator, original.shape[0], augmentation)
    np.testing.assert_array_equal(images[5 + 2 * len(positions)][0], apply_affine(original, matrix))


def test_split_without_copies_is_in_manifest_order(data):
    images = RadiographDataset(data, "test", 0, 0, NO_AUGMENTATION)
    assert [label for _, label in (images[i] for i in range(len(images)))] == [
        data.rows[position].label for position in data.positions("test")
    ]


def test_order_is_new_in_each_epoch_cut_to_whole_batches_and_repeatable():
    sampler = WholeBatchSampler(images=21, batch_size=8, seed=3)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert list(sampler) == orders[-1]
        assert len(set(orders[-1])) == len(orders[-1]) == len(sampler) == 16
    assert orders[0] != orders[1]
    assert set().union(*orders) == set(range(21))


def test_images_of_another_size_are_refused(data):
    with pytest.raises(ConfigError, match=r"the model takes 896; .* --preprocess\.size 896"):
        require_images(data, ("train",), 896)


def test_damaged_image_is_reported_before_training(data, tmp_path, capsys):
    position = int(data.positions("train")[9])
    damage(tmp_path / "data", position, 64)
    config = write_config(tmp_path, "medgemma")
    message = error_of(capsys, finetune, "--config", str(config))
    assert "image train_09: " in message
    assert "damaged" in message
    assert not (tmp_path / "run").exists()


def test_missing_split_is_refused(data):
    rows = tuple(row for row in data.rows if row.split != "test")
    without = PreparedData(data.directory, data.archive, rows)
    with pytest.raises(ConfigError, match="no image in split 'test'"):
        require_images(without, ("test",), data.archive.size)


def test_manifest_without_labels_is_refused_with_its_line(data):
    manifest = data.directory / "manifest.csv"
    lines = manifest.read_text().splitlines()
    index = next(number for number, line in enumerate(lines) if "test_00" in line)
    label = lines[0].split(",").index("label")
    fields = lines[index].split(",")
    fields[label] = ""
    lines[index] = ",".join(fields)
    manifest.write_text("\n".join(lines) + "\n")
    with pytest.raises(ManifestError, match=rf"manifest\.csv:{index + 1}: label: ''"):
        open_prepared(data.directory)


def test_damaged_image_is_an_archive_error_that_names_it(data, tmp_path):
    position = int(data.positions("test")[4])
    damage(tmp_path / "data", position, 64)
    with pytest.raises(ArchiveError, match="image test_04: "):
        require_images(open_prepared(tmp_path / "data"), ("test",), data.archive.size)
