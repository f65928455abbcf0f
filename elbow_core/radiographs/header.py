"""Type and size of an image file, and the error of a file that is not one image."""

from dataclasses import dataclass
from typing import Literal

NOT_OF_THE_FILE = (MemoryError, ImportError)
"""Errors of a decoder that say nothing about the file: without memory, no library is loaded."""


class HeaderError(ValueError):
    """The bytes are not one complete image; the message has no subject: "is cut short"."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Type and size of an image file; ``height`` and ``width`` in pixels as stored."""

    kind: Literal["PNG", "JPEG", "DICOM"]
    height: int
    width: int
    alpha: bool
    decoder_bytes: int
    """Bytes a pixel that decoding takes at most, all copies together."""
    orientation: int = 1
    """By Exif: 1 is upright."""
