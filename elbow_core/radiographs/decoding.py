"""Decode a radiograph file into one grey array, or raise an error that names the file."""

import stat
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from jaxtyping import UInt8

from elbow_core.errors import RadiographError
from elbow_core.radiographs.dicom import decode_dicom, read_dicom_header
from elbow_core.radiographs.grey_levels import scale_to_8_bits
from elbow_core.radiographs.header import HeaderError, ImageHeader, is_dicom, read_header

MAX_PIXELS = 100_000_000
MIN_SIDE = 32
_MAX_BYTES = 2**30
_EXIF_WITHIN = 2**18  # Segments have at most 64 KiB, and Exif is one of the first.


def read_radiograph(path: Path | str) -> UInt8[np.ndarray, "height width"]:
    """Read a PNG, JPEG or DICOM file as grey, 0 to 255, upright by its EXIF orientation.

    The type is determined by content, never by the file's name. 16 bits are scaled by the image's
    own range, colour becomes luma (ITU-R BT.601), transparency becomes black. For DICOM see
    `elbow_core.radiographs.dicom.decode_dicom`.

    Raises `RadiographError`, one line that names the file, for a file that is missing, empty, not
    an image, cut short, animated, above 100 megapixels (by its header, before decoding) or below 32
    pixels a side (thumbnails and tracking pixels).

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
        return decode_dicom(data) if header.kind == "DICOM" else _decode(data, header)
    except HeaderError as error:
        raise RadiographError(f"{name}: {error}") from error


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


def _decode(data: bytes, header: ImageHeader) -> np.ndarray:
    if header.kind == "JPEG":
        grey = _decode_jpeg_strictly(data)
        if grey is not None:
            return grey
    encoded = np.frombuffer(data, np.uint8)
    # With a grey flag, OpenCV drops the alpha channel and shows the hidden pixels.
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
    try:
        stored = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED if header.alpha else flags)
    except cv2.error as error:
        raise HeaderError(f"is a {header.kind} that OpenCV cannot decode") from error
    if stored is None:
        raise HeaderError(f"is a damaged {header.kind}: it cannot be decoded")
    if stored.ndim == 3:
        stored = _to_grey(stored)
    return stored if stored.dtype == np.uint8 else scale_to_8_bits(stored)


def _decode_jpeg_strictly(data: bytes) -> np.ndarray | None:
    """Decode a JPEG to grey; raise `HeaderError` for anything that libjpeg warns of.

    OpenCV only prints a warning for damaged image data, and fills the missing part. The pixels are
    the same. Returns None for an intact image that OpenCV still has to rotate by its EXIF
    orientation or to convert from CMYK.
    """
    try:
        is_cmyk = simplejpeg.decode_jpeg_header(data)[2] in ("CMYK", "YCCK")
        pixels = simplejpeg.decode_jpeg(data, "CMYK" if is_cmyk else "GRAY", strict=True)
    except ValueError as error:
        raise HeaderError("is a damaged JPEG: image data is missing or wrong") from error
    return None if is_cmyk or b"Exif\0\0" in data[:_EXIF_WITHIN] else pixels[:, :, 0]


def _to_grey(stored: np.ndarray) -> np.ndarray:
    """Convert colour to luma and blend transparency with black."""
    if stored.shape[2] == 3:
        return cv2.cvtColor(stored, cv2.COLOR_BGR2GRAY)
    opaque = 255 if stored.dtype == np.uint8 else 65535
    grey = cv2.cvtColor(stored, cv2.COLOR_BGRA2GRAY).astype(np.float64)
    return np.rint(grey * (stored[:, :, 3] / opaque)).astype(stored.dtype)
