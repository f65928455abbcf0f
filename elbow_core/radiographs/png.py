"""Read the header of a PNG file, and check that the file is complete."""

import struct

from elbow_core.radiographs.header import HeaderError, ImageHeader
from elbow_core.radiographs.orientation import read_orientation

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_WITH_ALPHA = (4, 6)


def read_png_header(data: bytes) -> ImageHeader:
    """Return the header of a complete PNG file; raises `HeaderError`.

    Reference: ISO/IEC 15948; Extensions to the PNG specification (eXIf).
    """
    header, exif = None, b""
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
        elif kind == b"eXIf":
            exif = data[position + 8 : end - 4]
        elif kind == b"acTL" and length == 8 and data[position + 8 : position + 12] != b"\0\0\0\1":
            raise HeaderError("is an animated PNG; give one image")
        elif kind == b"IEND":
            if header is None:
                raise HeaderError("is a damaged PNG: it has no header")
            width, height, _, color = header
            alpha = transparent or color in _WITH_ALPHA
            return ImageHeader("PNG", height, width, alpha, read_orientation(exif))
        position = end
    raise HeaderError("is cut short: the end of the PNG is missing")
