"""JPEG 2000 streams that contradict their container or divide an image too finely."""

import struct

import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from tests.support.dicom_files import RAMP
from tests.support.hostile_files.encapsulated_pixels import encapsulated
from tests.support.hostile_files.sizes import SIDE


def jpeg_2000(image: np.ndarray = RAMP, container: str = "j2k") -> bytes:
    options = {"level": 0, "codecformat": container, "reversible": True}
    return bytes(imagecodecs.jpeg2k_encode(image, **options))


def of_jpeg_2000(stream: bytes, pixels: np.ndarray = RAMP) -> bytes:
    return encapsulated(encapsulate([stream]), JPEG2000Lossless, pixels)


def with_size_fields(stream: bytes, **fields: int) -> bytes:
    """Return a JPEG 2000 stream with other fields in its SIZ segment."""
    places = {"width": 8, "height": 12, "tile_width": 24, "tile_height": 28}
    at = stream.index(b"\xff\x4f\xff\x51")
    for name, value in fields.items():
        place = at + places[name]
        stream = stream[:place] + struct.pack(">I", value) + stream[place + 4 :]
    return stream


def with_coding_style(layers: int, block: int, precinct: int) -> bytes:
    """Return a JPEG 2000 stream whose COD segment divides it as finely as this."""
    stream = jpeg_2000(np.tile(RAMP, (20, 20)))
    at = stream.index(b"\xff\x52")
    (length,) = struct.unpack_from(">H", stream, at + 2)
    levels = stream[at + 9]
    coding = bytes([1, 0]) + struct.pack(">H", layers) + bytes([0, levels, block, block, 0, 1])
    coding += bytes([precinct << 4 | precinct]) * (levels + 1)
    segment = b"\xff\x52" + struct.pack(">H", len(coding) + 2) + coding
    return stream[:at] + segment + stream[at + 2 + length :]


def jp2_that_contradicts() -> bytes:
    """Return a JP2 file whose image header gives the size and whose code stream a larger one."""
    return with_size_fields(jpeg_2000(container="jp2"), width=SIDE, height=SIDE)


def jp2_with_decoy() -> bytes:
    """Return a JP2 file with the right code stream header in a box before a larger code stream."""
    stream = jp2_that_contradicts()
    at = stream.index(b"jp2c") - 4
    box = b"free" + jpeg_2000()[:100]
    return stream[:at] + struct.pack(">I", len(box) + 4) + box + stream[at:]
