"""Prepared data for the tests of what a model learnt from."""

import pytest

from elbow_core.dataset import PreparedData
from elbow_core.prepare import DataConfig
from tests.support.prepare_folders import prepare_and_open, write_images


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> DataConfig:
    """A folder of 48 images of 24 patients, and a configuration; read-only."""
    return write_images(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def first(sources, tmp_path_factory) -> PreparedData:
    """The data of an earlier run; read-only."""
    return prepare_and_open(sources, tmp_path_factory.mktemp("first") / "data")
