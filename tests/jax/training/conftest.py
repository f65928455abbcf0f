"""A run of every option that adds to the state, and checkpoints of a small state."""

from pathlib import Path

import pytest

from elbow_jax import train
from elbow_jax.training.checkpoints import Checkpoints
from tests.support.shared_folder import made_once
from tests.support.small_checkpoints import state_of
from tests.support.small_data import write_prepared
from tests.support.training import averaged_config


@pytest.fixture
def saved(tmp_path):
    """A directory with checkpoints 1 and 2."""
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state_of(float(step)), {}, auroc=0.5)
    return tmp_path / "checkpoints"


@pytest.fixture(scope="session")
def averaged(request, tmp_path_factory) -> Path:
    """The folder of a finished run of `averaged_config`; read-only."""
    return made_once(request, tmp_path_factory, "averaged", _train)


def _train(folder: Path) -> None:
    write_prepared(folder / "data", seed=0)
    assert train.main(["--config", str(averaged_config(folder))]) == 0
