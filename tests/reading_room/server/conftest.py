"""A model, a running server, and radiographs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.dicom_files import dicom
from tests.support.reading_rooms import Client, Room, radiograph, write_model
from tests.support.tiny_images import make_image


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def room(model) -> Iterator[Room]:
    room = Room([model], "--queue", "16", "--megabytes", "4")
    yield room
    room.end()


@pytest.fixture
def client(room) -> Iterator[Client]:
    client = room.client()
    yield client
    client.close()


@pytest.fixture
def png() -> bytes:
    return radiograph(1)


@pytest.fixture
def view():
    """A function to a DICOM file of a study."""

    def make(study: str, position: str, seed: int = 0, patient: str = "MRN77") -> bytes:
        pixels = make_image(seed, 96, 80).astype(np.uint16) * 16
        return dicom(
            pixels,
            PatientID=patient,
            PatientName="Zorblatt^Quimby",
            StudyInstanceUID=f"1.2.840.77777.1.{study}",
            ViewPosition=position,
            ImageLaterality="L",
        )

    return make
