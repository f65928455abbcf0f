"""A file for the sample schema."""

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text("epochs: 3\n")
    return path
