"""Decode a radiograph file into one grey array, or raise an error that names the file."""

import stat
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from elbow_core.errors import RadiographError
from elbow_core.radiographs.dicom import decode_dicom, read_dicom_header
from elbow_core.radiographs.file_types import is_dicom, read_header
from elbow_core.radiographs.grey_levels import scale_to_8_bits
from elbow_core.radiographs.header import HeaderError, ImageHeader
from elbow_core.radiographs.jpeg import decode_jpeg
from elbow_core.radiographs.orientation import turn_upright

MAX_PIXELS = 100_000_000
MIN_SIDE = 32
_MAX_BYTES = 2**30


def read_radiograph(path: Path | str) -> UInt8[np.ndarray, "height width"]:
    """Read a PNG, JPEG or DICOM file as grey, 0 to 255, upright by its EXIF orientation.

    The type is determined by content, never by the file's name. 16 bits are scaled by the image's
    own range, colour becomes luma (ITU-R BT.601), transparency becomes black. For DICOM see
    `elbow_core.radiographs.dicom.decode_dicom`.

    Raises `RadiographError`, one line that names the file, for a file that is missing, empty, not
    an image, cut short, animated, above 100 megapixels (by its header, before decoding), below 32
    pixels a side (thumbnails and tracking pixels) or of a single grey level.

    Reference: `cv2.imdecode`.
    """
    return decode_radiograph(read_bytes(path), str(path))


def read_bytes(path: Path | str) -> bytes:
    """Return a file's bytes; raises `RadiographError` if it is missing, empty or over 1 GiB."""
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RadiographError(f"{path}: is not a file")
        if status.st_size == 0:
            raise RadiographError(f"{path}: is empty")
        if status.st_size > _MAX_BYTES:
            raise RadiographError(f"{path}: has {status.st_size} bytes, too many for a radiograph")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise RadiographError(f"{path}: does not exist") from error
    except OSError as error:  # The text of the error itself repeats the path.
        raise RadiographError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise RadiographError(f"{path}: is not a valid file name") from error


def decode_radiograph(data: bytes, name: str) -> UInt8[np.ndarray, "height width"]:
    """Decode a file's bytes as `read_radiograph` does; errors start with ``name``."""
    header = check_radiograph(data, name)
    try:
        image = decode_dicom(data) if header.kind == "DICOM" else _decode(data, header)
        if image.min() == image.max():
            raise HeaderError("shows nothing: all its pixels have the same grey level")
    except HeaderError as error:
        raise RadiographError(f"{name}: {error}") from error
    except Exception as error:  # One bad file never ends a run, whatever its decoder raises.
        raise RadiographError(f"{name}: cannot be decoded ({type(error).__name__})") from error
    return image


def check_radiograph(data: bytes, name: str) -> ImageHeader:
    """Return the header of a file's bytes; raises `RadiographError` if it shows a problem."""
    try:
        header = read_dicom_header(data) if is_dicom(data) else read_header(data)
        _check_size(header.height, header.width)
    except HeaderError as error:
        raise RadiographError(f"{name}: {error}") from error
    return header


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise HeaderError(f"is {width} x {height}, more than 100 megapixels")
    if min(height, width) < MIN_SIDE:
        raise HeaderError(f"is {width} x {height}, below {MIN_SIDE} pixels a side")


# OpenCV ignores the orientation of PNG files with transparency, so `turn_upright` serves all.
_GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def _decode(data: bytes, header: ImageHeader) -> np.ndarray:
    if header.kind == "JPEG":
        stored = decode_jpeg(data)
        # CMYK was decoded to know that it is sound.
        stored = stored[:, :, 0] if stored.shape[2] == 1 else _imdecode(data, header, _GREY)
    else:
        # With a grey flag, OpenCV drops the alpha channel and shows the hidden pixels.
        stored = _imdecode(data, header, cv2.IMREAD_UNCHANGED if header.alpha else _GREY)
    if stored.ndim == 3:
        stored = _to_grey(stored)
    image = turn_upright(stored, header.orientation)
    return image if image.dtype == np.uint8 else scale_to_8_bits(image)


def _imdecode(data: bytes, header: ImageHeader, flags: int) -> np.ndarray:
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise HeaderError(f"is a {header.kind} that OpenCV cannot decode") from error
    if stored is None:
        raise HeaderError(f"is a damaged {header.kind}: it cannot be decoded")
    return stored


def _to_grey(stored: np.ndarray) -> np.ndarray:
    """Convert colour to luma and blend transparency with black."""
    if stored.shape[2] == 3:
        return cv2.cvtColor(stored, cv2.COLOR_BGR2GRAY)
    opaque = 255 if stored.dtype == np.uint8 else 65535
    grey = cv2.cvtColor(stored, cv2.COLOR_BGRA2GRAY).astype(np.float64)
    return np.rint(grey * (stored[:, :, 3] / opaque)).astype(stored.dtype)
