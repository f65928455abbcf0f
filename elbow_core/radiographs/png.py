"""PNG files: their chunks, their header, and the part of them that decides the pixels."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from elbow_core.radiographs.header import HeaderError, ImageHeader
from elbow_core.radiographs.orientation import read_orientation

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_ALLOWED_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_WITH_ALPHA = (4, 6)
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
# First column and row, and steps, of the seven passes of an interlaced image.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
_MAX_CHUNKS = 2**18  # image data in pieces of 1 KiB; libpng writes 8 KiB
_PIECE = 2**18


@dataclass(frozen=True, slots=True)
class _Header:
    """The content of the only IHDR chunk."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def image_data_bytes(self) -> int:
        """The length of the inflated image data: each row has a byte for its filter."""
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        total = 0
        for left, top, across, down in passes:
            width = -(-(self.width - left) // across)
            height = -(-(self.height - top) // down)
            if width > 0 and height > 0:
                total += height * (1 + -(-width * self.bits * _CHANNELS[self.colour] // 8))
        return total


def read_png_header(data: bytes) -> ImageHeader:
    """Return the header of a complete PNG file, from its chunks alone.

    Raises `HeaderError` if it is cut short, animated, or its chunks are not in the order of the
    standard; a second header is refused wherever it is. No text and no colour profile is inflated.

    Reference: ISO/IEC 15948, clause 5.6; Extensions to the PNG specification (eXIf).
    """
    header = None
    exif, previous = b"", b""
    transparent = has_data = False
    for kind, content, _ in _read_chunks(data):
        if header is None:
            header = _read_header(kind, content)
        elif kind == b"IHDR":
            raise HeaderError("is a damaged PNG: it has two headers")
        elif kind == b"IDAT" and has_data and previous != b"IDAT":
            raise HeaderError("is a damaged PNG: its image data are in two places")
        elif kind == b"acTL" and content[:4] != b"\0\0\0\1":
            raise HeaderError("is an animated PNG; give one image")
        transparent |= kind == b"tRNS"
        has_data |= kind == b"IDAT"
        exif = bytes(content) if kind == b"eXIf" else exif
        previous = kind
    if header is None:
        raise HeaderError("is a damaged PNG: it has no header")
    alpha = transparent or header.colour in _WITH_ALPHA
    # OpenCV gives four channels or one, and holds them twice.
    decoder_bytes = 2 * (4 if alpha else 1) * (2 if header.bits == 16 else 1)
    orientation = read_orientation(exif)
    return ImageHeader("PNG", header.height, header.width, alpha, decoder_bytes, orientation)


def pixel_chunks(data: bytes) -> bytes:
    """Return a PNG file without the chunks that do not decide its pixels.

    ``data`` is a file that `read_png_header` takes. Its image data are inflated piece by piece;
    raises `HeaderError` unless they are as long as its header says.
    """
    kept: list[bytes | memoryview] = [PNG_SIGNATURE]
    remaining = 0
    inflater = zlib.decompressobj()
    for kind, content, chunk in _read_chunks(data):
        if kind in _PIXEL_CHUNKS:
            kept.append(chunk)  # with its check sum, which libpng compares
        if kind == b"IHDR":
            remaining = _read_header(kind, content).image_data_bytes
        elif kind == b"IDAT":
            remaining -= _inflated_length(inflater, content, remaining)
    if remaining:
        raise HeaderError("is a damaged PNG: image data is missing")
    return b"".join(kept)


def _inflated_length(inflater: Any, content: memoryview, limit: int) -> int:
    """Inflate a piece of image data and forget it; raises `HeaderError` beyond the limit."""
    total = 0
    try:
        for start in range(0, len(content), _PIECE):
            compressed: bytes | memoryview = content[start : start + _PIECE]
            inflated = None
            while not inflater.eof and (len(compressed) or inflated == _PIECE):
                inflated = len(inflater.decompress(compressed, _PIECE))
                compressed = inflater.unconsumed_tail
                total += inflated
                if total > limit:
                    raise HeaderError(
                        "is a damaged PNG: it has more image data than its header says"
                    )
    except zlib.error as error:
        raise HeaderError("is a damaged PNG: its image data cannot be inflated") from error
    return total


def _read_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Yield type, content and all bytes of each chunk up to IEND."""
    view = memoryview(data)
    position = len(PNG_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        yield kind, view[position + 8 : end - 4], view[position:end]
        if kind == b"IEND":
            return
        position = end
    else:
        raise HeaderError(f"is a PNG of more than {_MAX_CHUNKS} chunks")
    raise HeaderError("is cut short: the end of the PNG is missing")


def _read_header(kind: bytes, content: memoryview) -> _Header:
    if kind != b"IHDR" or len(content) != 13:
        raise HeaderError("is a damaged PNG: it does not start with a header")
    width, height, bits, colour, compression, filters, interlacing = struct.unpack(
        ">IIBBBBB", content
    )
    if bits not in _ALLOWED_BITS.get(colour, ()) or compression or filters or interlacing > 1:
        raise HeaderError("is a damaged PNG: its header is none of the standard")
    return _Header(width, height, bits, colour, interlacing == 1)
