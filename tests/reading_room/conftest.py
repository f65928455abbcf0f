"""A small released model, and a PACS of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from elbow_core.dataset import NOTHING_SEEN
from elbow_jax.scoring import write_released
from tests.support.finished_runs import random_variables
from tests.support.frameworks import configure_jax
from tests.support.orthanc import Orthanc, require_orthanc
from tests.support.released_models import CARD, NETWORK, SIZE
from tests.support.shared_folder import made_once

configure_jax()


@pytest.fixture(scope="session")
def model(request, tmp_path_factory) -> Path:
    """A released model with random weights; read-only."""
    return made_once(request, tmp_path_factory, "reading_room_model", _write_model) / "model"


def _write_model(folder: Path) -> None:
    write_released(folder / "model", random_variables(NETWORK, SIZE), NOTHING_SEEN, **CARD)


@pytest.fixture
def orthanc(tmp_path) -> Iterator[Orthanc]:
    """An empty server that runs, and is ended afterwards."""
    require_orthanc()
    server = Orthanc(tmp_path / "orthanc")
    server.start()
    try:
        yield server
    finally:
        server.remove()
