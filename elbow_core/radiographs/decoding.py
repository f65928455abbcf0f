"""Decode a radiograph file into one grey array, or raise an error that names the file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from elbow_core.errors import MachineError, RadiographError
from elbow_core.files import NotRegularError, open_regular
from elbow_core.radiographs.dicom import decode_dicom, read_dicom_header
from elbow_core.radiographs.file_types import is_dicom, read_header
from elbow_core.radiographs.grey_levels import row_strips, scale_to_8_bits
from elbow_core.radiographs.header import HeaderError, ImageHeader
from elbow_core.radiographs.jpeg import decode_jpeg
from elbow_core.radiographs.limits import (
    MAX_FILE_BYTES,
    check_size,
    memory_trouble,
    require_memory,
)
from elbow_core.radiographs.orientation import turn_upright
from elbow_core.radiographs.png import pixel_chunks


def read_radiograph(path: Path | str) -> UInt8[np.ndarray, "height width"]:
    """Read a PNG, JPEG or DICOM file as grey, 0 to 255, upright by its EXIF orientation.

    The type is determined by content, never by the file's name. 16 bits are scaled by the image's
    own range, colour becomes luma (ITU-R BT.601), transparency becomes black. For DICOM see
    `elbow_core.radiographs.dicom.decode_dicom`. Memory and time are bounded by
    `elbow_core.radiographs.limits`, before anything is decoded.

    Raises `RadiographError`, one line that names the file, for a file that is no regular file,
    empty, not an image, cut short, animated, above 100 megapixels (by its header, before decoding),
    below 32 pixels a side (thumbnails and tracking pixels) or of a single grey level. Raises
    `MachineError`, which is no verdict on the file, where it cannot be read or memory is short.

    Reference: `cv2.imdecode`.
    """
    return decode_radiograph(read_bytes(path), str(path))


def read_bytes(path: Path | str) -> bytes:
    """Return the bytes of a regular file that is neither empty nor above `MAX_FILE_BYTES`.

    Raises `RadiographError` for another file, and `MachineError` for one that the system does not
    give: it is missing, may not be read, or its disk fails.
    """
    try:
        opened = open_regular(path)
        try:
            with memory_trouble(f"{path}: not enough memory to read it"):
                data = _read_opened(opened, path)
        finally:
            os.close(opened)
    except NotRegularError as error:
        raise RadiographError(f"{path}: is not a file") from error
    except OSError as error:  # The text of the error itself repeats the path.
        raise MachineError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RadiographError(f"{path}: is not a valid file name") from error
    if not data:
        raise RadiographError(f"{path}: is empty")
    return data


def _read_opened(opened: int, path: Path | str) -> bytes:
    size = os.fstat(opened).st_size
    if size > MAX_FILE_BYTES:
        raise RadiographError(f"{path}: has {size} bytes, too many for a radiograph")
    with os.fdopen(opened, "rb", closefd=False) as file:
        data = file.read(size + 1)
    if len(data) != size:
        raise MachineError(f"{path}: changed while it was read; give the command again")
    return data


def decode_radiograph(data: bytes, name: str) -> UInt8[np.ndarray, "height width"]:
    """Decode a file's bytes as `read_radiograph` does; errors start with ``name``."""
    header = check_radiograph(data, name)
    size = f"{header.width} x {header.height}"
    with _verdict(name, f"decode it ({size})"):
        require_memory(header, len(data))
        try:
            image = decode_dicom(data) if header.kind == "DICOM" else _decode(data, header)
        except Exception:
            require_memory(header, len(data))  # Decoders take short memory for damage.
            raise
        if image.min() == image.max():
            raise HeaderError("shows nothing: all its pixels have the same grey level")
    return image


def check_radiograph(data: bytes, name: str) -> ImageHeader:
    """Return the header of a file's bytes; raises `RadiographError` if it shows a problem."""
    with _verdict(name, "read it"):
        header = read_dicom_header(data) if is_dicom(data) else read_header(data)
        check_size(header)
    return header


@contextmanager
def _verdict(name: str, purpose: str) -> Iterator[None]:
    """Raise `RadiographError` for any error of the block, but `MachineError` for short memory."""
    try:
        with memory_trouble(f"{name}: not enough memory to {purpose}"):
            yield
    except MachineError:
        raise
    except HeaderError as error:
        raise RadiographError(f"{name}: {error}") from error
    except Exception as error:  # One bad file never ends a run, whatever its decoder raises.
        raise RadiographError(f"{name}: cannot be decoded ({type(error).__name__})") from error


# OpenCV ignores the orientation of PNG files with transparency, so `turn_upright` serves all.
_GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def _decode(data: bytes, header: ImageHeader) -> np.ndarray:
    if header.kind == "JPEG":
        stored = decode_jpeg(data)
        # CMYK was decoded to know that it is sound.
        stored = stored[:, :, 0] if stored.shape[2] == 1 else _imdecode(data, header, _GREY)
    else:
        # With a grey flag, OpenCV drops the alpha channel and shows the hidden pixels.
        flags = cv2.IMREAD_UNCHANGED if header.alpha else _GREY
        stored = _imdecode(pixel_chunks(data), header, flags)
    if stored.ndim == 3:
        stored = _to_grey(stored)
    image = turn_upright(stored, header.orientation)
    return image if image.dtype == np.uint8 else scale_to_8_bits(image)


def _imdecode(data: bytes, header: ImageHeader, flags: int) -> np.ndarray:
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.STS_NO_MEM:
            raise
        raise HeaderError(f"is a {header.kind} that OpenCV cannot decode") from error
    if stored is None:
        raise HeaderError(f"is a damaged {header.kind}: it cannot be decoded")
    return stored


def _to_grey(stored: np.ndarray) -> np.ndarray:
    """Convert colour to luma and blend transparency with black."""
    if stored.shape[2] == 3:
        return cv2.cvtColor(stored, cv2.COLOR_BGR2GRAY)
    opaque = 255 if stored.dtype == np.uint8 else 65535
    height, width = stored.shape[:2]
    grey = np.empty((height, width), stored.dtype)
    for rows in row_strips(height, width):
        luma = cv2.cvtColor(stored[rows], cv2.COLOR_BGRA2GRAY).astype(np.float64)
        grey[rows] = np.rint(luma * (stored[rows][:, :, 3] / opaque))
    return grey
