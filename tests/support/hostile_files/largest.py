"""The largest images that are read, by name."""

from collections.abc import Callable
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.support.dicom_files import dicom
from tests.support.hostile_files.encapsulated_pixels import of_run_lengths
from tests.support.hostile_files.jpeg_2000_streams import jpeg_2000, of_jpeg_2000
from tests.support.hostile_files.jpeg_files import encode_jpeg
from tests.support.hostile_files.png_files import png
from tests.support.hostile_files.sizes import SIDE


def _large_jpeg(progressive: bool) -> bytes:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[::40] = 200
    return encode_jpeg(image, progressive)


def _large_dicom(kind: str) -> bytes:
    words = np.zeros((SIDE, SIDE), np.uint16)
    words[::50] = np.arange(SIDE) % 4096
    fields: dict[str, Any] = {"WindowCenter": 1000, "WindowWidth": 500, "PixelPaddingValue": 7}
    match kind:
        case "native":
            return dicom(words, 12, **fields)
        case "deflated":
            return dicom(words, 12, DeflatedExplicitVRLittleEndian, **fields)
        case "jpeg 2000":
            return of_jpeg_2000(jpeg_2000(words), words)
        case _:
            planes = [(words >> 8).astype(np.uint8), words.astype(np.uint8)]
            segments = [bytes(imagecodecs.packbits_encode(plane)) for plane in planes]
            return of_run_lengths([part + b"\0" * (len(part) % 2) for part in segments], words)


LARGEST: dict[str, Callable[[], bytes]] = {
    "png of 8 bits with transparency": partial(png, SIDE, SIDE, 6),
    "png of 16 bits": partial(png, SIDE, SIDE, 0, 16),
    "png of 16 bits in colour": partial(png, SIDE, SIDE, 2, 16),
    "png of 16 bits with transparency, 7000 x 7000": partial(png, 7000, 7000, 6, 16),
    "jpeg in colour": partial(_large_jpeg, progressive=False),
    "progressive jpeg in colour": partial(_large_jpeg, progressive=True),
    "dicom": partial(_large_dicom, "native"),
    "deflated dicom": partial(_large_dicom, "deflated"),
    "dicom by run length": partial(_large_dicom, "run length"),
    "dicom of jpeg 2000": partial(_large_dicom, "jpeg 2000"),
    "dicom of 32 bits, 8000 x 8000": lambda: dicom(
        np.arange(8000 * 8000, dtype=np.uint32).reshape(8000, 8000), 32
    ),
}
"""Sound images of 100 megapixels, or of as many as the limits allow."""
