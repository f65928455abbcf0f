"""DICOM files of encapsulated pixel data."""

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit, RLELossless

from tests.support.dicom_files import RAMP, dicom, run_length_frame
from tests.support.hostile_files.dicom_elements import item_start
from tests.support.hostile_files.jpeg_files import jpeg

GREY = np.zeros((64, 64), np.uint8)
"""As large as `jpeg()`."""


def encapsulated(value: bytes, syntax: UID = JPEGBaseline8Bit, pixels: np.ndarray = RAMP) -> bytes:
    rows, columns = pixels.shape
    small, bits = np.zeros((1, 1), pixels.dtype), 8 * pixels.itemsize
    return dicom(small, bits, syntax, Rows=rows, Columns=columns, PixelData=value)


def of_jpeg(stream: bytes, pixels: np.ndarray = GREY) -> bytes:
    return encapsulated(encapsulate([stream]), JPEGBaseline8Bit, pixels)


def many_fragments(count: int) -> bytes:
    fragments = item_start(0) * count
    return encapsulated(encapsulate([jpeg()])[:-8] + fragments + b"\xfe\xff\xdd\xe0\0\0\0\0")


def of_run_lengths(segments: list[bytes], pixels: np.ndarray = RAMP) -> bytes:
    frame = run_length_frame(segments)
    return encapsulated(encapsulate([frame]), RLELossless, pixels.astype(np.uint16))
