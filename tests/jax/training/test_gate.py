"""The input gate is fitted when a network is released."""

import numpy as np
import pytest

from elbow_core.config import load_config
from elbow_core.dataset import open_prepared
from elbow_jax import train
from elbow_jax.config import TrainConfig
from elbow_jax.runtime import make_mesh
from elbow_jax.scoring import read_card, read_released
from elbow_jax.training.gate import fit_input_gate
from tests.support.commands import status_of
from tests.support.finished_runs import random_variables
from tests.support.small_data import SIZE, write_prepared
from tests.support.training import write_config

ENOUGH = {"train": 40, "validation": 40, "test": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Prepared data with enough validation images for a gate, and a configuration; read-only."""
    folder = tmp_path_factory.mktemp("gate")
    write_prepared(folder / "data", splits=ENOUGH)
    write_config(folder, epochs=1)
    return folder


def test_statistics_are_those_of_the_training_images_as_they_are(folder):
    config, data = load_config(TrainConfig, folder / "train.yaml"), open_prepared(folder / "data")
    variables = random_variables(config.model, SIZE)
    statistics, record = fit_input_gate(config, make_mesh(8), variables, data)
    assert statistics is not None
    assert record is not None
    assert (record.images, record.false_alarms) == (40, 0.05)
    positions = data.positions("train")
    images = np.stack([data.archive[int(position)] for position in positions]) / 255
    labels = np.array([data.rows[position].label for position in positions])
    expected = [
        [images[labels == label].mean(), images[labels == label].std(axis=(1, 2)).mean()]
        for label in (0, 1)
    ]
    found = statistics["grey_levels"]["means"]
    np.testing.assert_allclose(found[:, :2], expected, rtol=1e-4)


def test_few_validation_images_give_no_gate(tmp_path):
    write_prepared(tmp_path / "data", splits=ENOUGH | {"validation": 38})
    config = load_config(TrainConfig, write_config(tmp_path))
    data = open_prepared(tmp_path / "data")
    variables = random_variables(config.model, SIZE)
    assert fit_input_gate(config, make_mesh(8), variables, data) == (None, None)


@pytest.mark.slow
def test_training_releases_a_gate(folder):
    assert status_of(train, "--config", str(folder / "train.yaml")) == 0
    card = read_card(folder / "run" / "model")
    assert card.gate is not None
    assert card.gate.images == 40
    assert read_released(folder / "run" / "model").statistics is not None
