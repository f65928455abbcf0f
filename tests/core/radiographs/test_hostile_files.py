"""A small file stays small: no file takes more than 1.5 GB and 5 s, whatever it asks for.

Seconds are those of the processor, so that other work on the machine does not count.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from elbow_core.errors import MachineError
from elbow_core.radiographs import read_radiograph
from tests.support.dicom_files import dicom
from tests.support.hostile_files import (
    BOMBS,
    LARGEST,
    jpeg_2000,
    of_jpeg_2000,
    of_run_lengths,
)
from tests.support.measured_reading import Reader
from tests.support.processes import linux
from tests.support.tiny_images import encode, make_image

pytestmark = linux

# Hostile in a part that is not needed.
READ = [
    "png: 1 GiB of zTXt",
    "png: 1 GiB of iTXt",
    "png: 1 GiB of iCCP",
    "jpeg: 64 MiB of fill bytes",
    "jpeg: 64 MiB of stuffing",
    "dicom: 64 MiB of zeros behind",
    "dicom: an overlay of 64 MiB",
    "dicom: Rows of 64 MiB",
]


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as started:
        yield started


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_cheap_and_refused_or_read(reader, name):
    reading = reader.read(BOMBS[name]())
    assert reading.is_fair, reading
    assert (reading.outcome == "image") == (name in READ), reading


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGEST)
def test_largest_image_is_read_within_the_limits(reader, name):
    reading = reader.read(LARGEST[name]())
    assert reading.is_fair, reading
    assert reading.outcome == "image", reading


def _sound_files() -> dict[str, bytes]:
    image = make_image(0, 1500, 1500)
    words = image.astype(np.uint16) * 16
    planes = [np.zeros_like(image), image]
    literal = [
        b"".join(b"\x7f" + part.tobytes() for part in np.split(plane.ravel()[: 128 * 17578], 17578))
        for plane in planes
    ]
    return {
        "png": encode(image),
        "png of 16 bits": encode(words),
        "png with transparency": encode(np.dstack([image] * 4)),
        "jpeg": encode(image, ".jpg"),
        "jpeg in colour": encode(np.dstack([image] * 3), ".jpg"),
        "dicom": dicom(words, 12),
        "dicom by run length": of_run_lengths(literal, words[:, :1499]),
        "dicom of jpeg 2000": of_jpeg_2000(jpeg_2000(words), words),
    }


def test_short_memory_is_never_a_verdict_on_a_sound_file():
    with Reader() as reader:  # of its own: one with much free memory in hand would not ask for more
        outcomes = set()
        for name, data in _sound_files().items():
            assert reader.read(data).outcome == "image", name
            for mebibytes in (3, 6, 20, 80):
                outcome = reader.read(data, headroom=mebibytes << 20).outcome
                is_own_reason = outcome.startswith("MachineError: x: not enough memory to")
                assert outcome == "image" or is_own_reason, (name, mebibytes, outcome)
                outcomes.add((outcome == "image", is_own_reason))
    assert outcomes == {(True, False), (False, True)}


def test_disk_that_fails_is_the_machines_trouble():
    with pytest.raises(MachineError, match="/proc/self/mem: cannot be read: Input/output error"):
        read_radiograph("/proc/self/mem")
