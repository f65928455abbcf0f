"""The orientation in which an image is to be shown, from its Exif data."""

import struct

import numpy as np

_ORIENTATION, _SHORT = 0x0112, 3


def read_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, in a TIFF structure; 1 where it is not given.

    Reference: Exif 2.32 (CIPA DC-008), sections 4.6.2 and 4.6.4.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 10:
        return 1
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    if directory + 2 > len(exif):
        return 1
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    for number in range(count):
        position = directory + 2 + 12 * number
        if position + 12 > len(exif):
            break
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", exif, position)
        if tag == _ORIENTATION and kind == _SHORT:
            return value if 1 <= value <= 8 else 1
    return 1


def turn_upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return an image as stored, `[height, width, ...]`, as it is to be shown; contiguous."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
