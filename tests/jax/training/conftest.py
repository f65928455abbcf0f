import pytest

from elbow_jax.training.checkpoints import Checkpoints
from tests.support.small_checkpoints import state_of


@pytest.fixture
def saved(tmp_path):
    """A directory with checkpoints 1 and 2."""
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, state_of(float(step)), {}, auroc=0.5)
    return tmp_path / "checkpoints"
