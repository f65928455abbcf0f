"""A radiograph file becomes one grey array, or an error that names the file."""

import stat
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Shaped, UInt8

from elbow_core.errors import RadiographError
from elbow_core.image_header import HeaderError, ImageHeader, read_header

__all__ = [
    "RadiographError",
    "check_radiograph",
    "decode_radiograph",
    "read_bytes",
    "read_radiograph",
]

MAX_PIXELS = 100_000_000
MIN_SIDE = 32
_MAX_BYTES = 2**30


def read_radiograph(path: Path | str) -> UInt8[np.ndarray, "height width"]:
    """Read a PNG or JPEG file as grey, 0 to 255, upright as its EXIF orientation says.

    The type is judged by content, never by the file's name. 16 bits are scaled by the image's own
    range, colour becomes luma (ITU-R BT.601), transparency shows black.

    Raises `RadiographError`, one line that names the file: missing, empty, no image, cut short,
    animated, above 100 megapixels (seen in the header, before decoding) or below 32 pixels a side
    (no radiograph is, but thumbnails and tracking pixels are).

    Reference: `cv2.imdecode`.
    """
    return decode_radiograph(read_bytes(path), str(path))


def read_bytes(path: Path | str) -> bytes:
    """Return a file's bytes; raises `RadiographError` where there are none, or over 1 GiB."""
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
        raise RadiographError(f"{path}: is not there") from error
    except (OSError, ValueError) as error:
        raise RadiographError(f"{path}: cannot be read: {error}") from error


def decode_radiograph(data: bytes, name: str) -> UInt8[np.ndarray, "height width"]:
    """Decode a file's bytes as `read_radiograph` does; ``name`` is for the error."""
    header = check_radiograph(data, name)
    try:
        stored = _decode(data, header)
    except cv2.error as error:
        raise RadiographError(f"{name}: is a {header.kind} that OpenCV cannot decode") from error
    if stored is None:
        raise RadiographError(f"{name}: is a damaged {header.kind}: it cannot be decoded")
    return scale_to_8_bits(stored)


def check_radiograph(data: bytes, name: str) -> ImageHeader:
    """Return the header of a file's bytes; raises `RadiographError` for what it can tell."""
    try:
        header = read_header(data)
        _check_size(header.height, header.width)
    except HeaderError as error:
        raise RadiographError(f"{name}: {error}") from error
    return header


def scale_to_8_bits(
    image: Shaped[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width"]:
    """Scale grey levels by the image's own range to 0 to 255; 8-bit images stay as they are.

    An image of one level becomes 0 throughout.
    """
    if image.dtype == np.uint8:
        return image
    low, high = float(image.min()), float(image.max())
    if high == low:
        return np.zeros(image.shape, np.uint8)
    scaled = (image.astype(np.float64) - low) * (255.0 / (high - low))
    return np.rint(scaled).astype(np.uint8)


def _check_size(height: int, width: int) -> None:
    if height * width > MAX_PIXELS:
        raise HeaderError(f"is {width} x {height}, more than 100 megapixels")
    if min(height, width) < MIN_SIDE:
        raise HeaderError(f"is {width} x {height}, below {MIN_SIDE} pixels a side")


def _decode(data: bytes, header: ImageHeader) -> np.ndarray | None:
    encoded = np.frombuffer(data, np.uint8)
    if not header.alpha:
        return cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    # Read as grey, OpenCV drops the transparency and shows what it hides.
    stored = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if stored is None or stored.ndim == 2:
        return stored
    if stored.shape[2] == 3:
        return cv2.cvtColor(stored, cv2.COLOR_BGR2GRAY)
    opaque = 255 if stored.dtype == np.uint8 else 65535
    grey = cv2.cvtColor(stored, cv2.COLOR_BGRA2GRAY).astype(np.float64)
    return np.rint(grey * (stored[:, :, 3] / opaque)).astype(stored.dtype)
