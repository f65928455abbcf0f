"""Read type and size from the header of an image file, and check that the file is complete."""

import struct
from dataclasses import dataclass
from typing import Literal

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_DICOM_MAGIC = b"DICM"
_OTHER_TYPES = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"RIFF", "WebP or other RIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP"),
)
_PNG_ALPHA = (4, 6)
# All start-of-frame markers; C4, C8 and CC are tables and a reserved code.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD8)) | {0x01}
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9


def is_dicom(data: bytes) -> bool:
    """Say whether the first 132 bytes are those of a DICOM file.

    Reference: DICOM PS3.10, section 7.1.
    """
    return data[128:132] == _DICOM_MAGIC


class HeaderError(ValueError):
    """The bytes are not one complete image; the message has no subject: "is cut short"."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Type and size of an image file; ``height`` and ``width`` in pixels as stored."""

    kind: Literal["PNG", "JPEG", "DICOM"]
    height: int
    width: int
    alpha: bool


def read_header(data: bytes) -> ImageHeader:
    """Return the header of a complete PNG or JPEG file, by content.

    Raises `HeaderError` for anything but one still image of these types, and for a file that is cut
    short: OpenCV fills the missing part of a JPEG with grey and only prints a warning.

    Reference: ISO/IEC 15948 (PNG), ITU-T T.81 annex B (JPEG).
    """
    if data.startswith(PNG_SIGNATURE):
        return _read_png(data)
    if data.startswith(b"\xff\xd8"):
        return _read_jpeg(data)
    for magic, name in _OTHER_TYPES:
        if data.startswith(magic):
            raise HeaderError(f"is a {name} file; convert it to PNG, JPEG or DICOM")
    raise HeaderError("is not an image: neither PNG, JPEG nor DICOM")


def _read_png(data: bytes) -> ImageHeader:
    header = None
    transparent = False
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        if kind == b"IHDR" and length == 13:
            header = struct.unpack_from(">IIBB", data, position + 8)
        elif kind == b"tRNS":
            transparent = True
        elif kind == b"acTL" and length == 8 and data[position + 8 : position + 12] != b"\0\0\0\1":
            raise HeaderError("is an animated PNG; give one image")
        elif kind == b"IEND":
            if header is None:
                raise HeaderError("is a damaged PNG: it has no header")
            width, height, _, color = header
            return ImageHeader("PNG", height, width, transparent or color in _PNG_ALPHA)
        position = end
    raise HeaderError("is cut short: the end of the PNG is missing")


def _read_jpeg(data: bytes) -> ImageHeader:
    precision, height, width = read_jpeg_frame(data)
    if precision != 8:
        raise HeaderError(f"is a JPEG of {precision} bits per sample; convert it to PNG")
    return ImageHeader("JPEG", height, width, alpha=False)


def read_jpeg_frame(data: bytes) -> tuple[int, int, int]:
    """Return bits per sample, height and width of a complete JPEG stream, lossless included.

    Raises `HeaderError` if it is damaged, or its end is missing.
    """
    frame = None
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise HeaderError("is a damaged JPEG: a marker is missing")
        marker = data[position + 1]
        if marker == 0xFF:  # A fill byte.
            position += 1
            continue
        if marker in _JPEG_WITHOUT_LENGTH:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _JPEG_FRAMES and position + 9 <= len(data):
            frame = struct.unpack_from(">BHH", data, position + 4)
        elif marker == _JPEG_SCAN:
            # Image data contains FF only before 00, so FF D9 can only be the end.
            if frame is None:
                raise HeaderError("is a damaged JPEG: it has no header")
            if data.rfind(b"\xff\xd9", position) < 0:
                raise HeaderError("is cut short: the end of the JPEG is missing")
            return frame
        elif marker == _JPEG_END:
            break
        position += 2 + max(length, 2)
    raise HeaderError("is cut short: the JPEG has no image data")
