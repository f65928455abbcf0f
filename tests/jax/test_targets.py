"""Targets of batches, compared with the pixels: an injury is a bright square."""

import dataclasses

import numpy as np
import pytest

from elbow_core.dataset import REGIONS_FILE, Region, open_prepared, write_regions
from elbow_core.errors import ConfigError
from elbow_core.radiographs import Augmentation
from elbow_jax.data import training_batches
from elbow_jax.targets import read_targets
from tests.support.small_data import write_prepared

SIZE = 48


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_prepared(write_prepared(tmp_path_factory.mktemp("prepared"), SIZE))


def test_place_moves_with_the_augmented_image(data):
    batches = training_batches(
        data,
        batch_size=8,
        seed=0,
        copies=2,
        augmentation=Augmentation(),
        targets=read_targets(data, ["place", "finding"]),
    )
    compared = 0
    for _ in range(9):
        batch = next(batches)
        assert batch["place"].shape == (8, 4, 2)
        np.testing.assert_array_equal(batch["finding"] == 0, batch["label"] == 1)
        for image, label, places in zip(
            batch["image"][..., 0], batch["label"], batch["place"], strict=True
        ):
            (known,) = np.nonzero(~np.isnan(places[:, 0]))
            if not label:
                assert not len(known)
                continue
            rows, columns = np.nonzero(image > 120)
            if not len(rows):
                continue
            edges = (rows.min(), columns.min(), SIZE - 1 - rows.max(), SIZE - 1 - columns.max())
            if min(edges) < 2:  # The square may have left the image in part.
                continue
            middle = (np.array([columns.mean(), rows.mean()]) + 0.5) / SIZE
            np.testing.assert_allclose(places[0], middle, atol=0.6 / SIZE)
            compared += 1
    assert compared >= 20


def test_place_is_in_pixels_of_the_prepared_image(data, tmp_path):
    """An image that was 96 pixels wide and 192 high is prepared at 48."""
    folder = write_prepared(tmp_path / "data", SIZE)
    rows = [dataclasses.replace(row, width=96, height=192) for row in data.rows]
    write_regions(
        folder / REGIONS_FILE,
        [
            (rows[1], [Region("metal", 0.0, 0.0, 1.0, 1.0)]),
            (rows[2], [Region("dislocation", 20.0, 40.0, 8.0, 16.0)]),
        ],
        folder,
    )
    changed = dataclasses.replace(open_prepared(folder), rows=tuple(rows))
    places = read_targets(changed, ["place"]).places
    assert places is not None
    assert np.isnan(places[1]).all()
    np.testing.assert_allclose(places[2, 0], (12.0, 12.0))


def test_place_beyond_the_edge_is_none(data):
    targets = read_targets(data, ["place"])
    shifted = np.array([[1.0, 0, SIZE], [0, 1, 0]])
    injured = [number for number, row in enumerate(data.rows) if row.label][:2]
    place = targets.batch(injured, [None, shifted])["place"]
    assert not np.isnan(place[0, 0]).any()
    assert np.isnan(place[1]).all()


def test_target_that_the_data_do_not_state_is_refused(data, tmp_path):
    with pytest.raises(ConfigError, match=r"auxiliary.body_part: all images .* 'elbow'"):
        read_targets(data, ["body_part"])
    folder = write_prepared(tmp_path / "data", SIZE)
    (folder / REGIONS_FILE).unlink()
    with pytest.raises(ConfigError, match=r"auxiliary.place: .* has no regions.csv"):
        read_targets(open_prepared(folder), ["place"])
