"""Small prepared data with boxes."""

import pytest

from elbow_core.dataset import PreparedData, open_prepared
from tests.support.small_data import write_prepared


@pytest.fixture
def data(tmp_path) -> PreparedData:
    """Prepared data in a folder of the test, which may change them."""
    return open_prepared(write_prepared(tmp_path / "data"))
