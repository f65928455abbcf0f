"""A released model, and a copy to be changed."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from elbow_core.dataset import NOTHING_SEEN
from elbow_jax.scoring import write_released
from tests.support.finished_runs import random_variables
from tests.support.fold_ensembles import write_ensemble
from tests.support.released_models import CARD, NETWORK, SIZE


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A released model, and an image beside it; read-only."""
    folder = tmp_path_factory.mktemp("released")
    write_released(folder / "model", random_variables(NETWORK, SIZE), NOTHING_SEEN, **CARD)
    image = np.random.default_rng(0).integers(0, 255, (60, 50), np.uint8)
    cv2.imwrite(str(folder / "image.png"), image)
    return folder / "model"


@pytest.fixture
def copied(model, tmp_path) -> Path:
    """A copy of the released model, to be changed."""
    return Path(shutil.copytree(model, tmp_path / "model"))


@pytest.fixture(scope="session")
def released(tmp_path_factory) -> Path:
    """The folder of a run with the ensemble of three random networks; read-only."""
    run = tmp_path_factory.mktemp("folds") / "run"
    write_ensemble(run)
    return run
