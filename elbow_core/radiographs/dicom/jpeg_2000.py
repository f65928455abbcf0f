"""JPEG 2000 streams: their headers, checked before a decoder reserves what they ask for."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from elbow_core.radiographs.header import HeaderError

CODESTREAM_START = b"\xff\x4f\xff\x51"
JP2_START = b"\0\0\0\x0cjP  "
_SIZ, _COD, _COC, _SOT, _SOD, _EOC = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93, 0xFFD9
# Where a decoder's memory comes from, beside the pixels: openjpeg keeps some 7 kB a tile, some 600
# bytes a code block, and a flag for each layer and precinct of a tile.
_MAX_TILES = 4096
_MAX_BLOCKS = 2**18
_MAX_FLAGS = 2**24
_MAX_SEGMENTS = 2**17
_MAX_BOXES = 64
_MAX_LEVELS = 32


@dataclass(frozen=True, slots=True)
class Jpeg2000Stream:
    """A code stream of one grey component, and what its header says."""

    codestream: bytes
    bits: int
    height: int
    width: int


def read_jpeg_2000(stream: bytes) -> Jpeg2000Stream:
    """Return the code stream, taken out of a JP2 file if it is in one, and its size.

    Raises `HeaderError` if its header is damaged, is not that of one component, contradicts the
    JP2 file's, or asks for tiles, code blocks or layers that no image needs.

    Reference: ITU-T T.800, annexes A.4 to A.6, B.6, B.7 and I.5.
    """
    image_header, codestream = None, stream
    if stream.startswith(JP2_START):
        image_header, codestream = _open_jp2(stream)
    if not codestream.startswith(CODESTREAM_START) or len(codestream) < 45:
        raise HeaderError("is a DICOM file whose JPEG 2000 stream has no header")
    segments = _read_headers(codestream)
    _, size = next(segments)
    if len(size) < 39:
        raise _damaged()
    width, height, left, top, tile_width, tile_height, tiles_left, tiles_top, components = (
        struct.unpack_from(">8IH", size, 2)
    )
    if components != 1:
        raise HeaderError("is a DICOM file whose JPEG 2000 stream is not grey")
    if len(size) != 39 or size[37:39] != b"\1\1":
        raise _damaged()
    columns, rows = width - left, height - top
    if image_header is not None and image_header != (rows, columns, 1):
        raise HeaderError(
            "is a DICOM file whose JPEG 2000 stream contradicts the header of its JP2 file"
        )
    if not (
        tiles_left <= left < width and tiles_top <= top < height and tile_width and tile_height
    ):
        raise _damaged()
    across, down = -(-(width - tiles_left) // tile_width), -(-(height - tiles_top) // tile_height)
    if across * down > _MAX_TILES:
        raise HeaderError(f"is a DICOM file whose JPEG 2000 stream has {across * down} tiles")
    tile = min(tile_width, width - tiles_left), min(tile_height, height - tiles_top)
    for marker, content in segments:
        if marker == _SIZ:
            raise HeaderError("is a DICOM file whose JPEG 2000 stream has two headers")
        if marker in (_COD, _COC):
            _check_coding(content, is_default=marker == _COD, tile=tile)
    return Jpeg2000Stream(codestream, (size[36] & 0x7F) + 1, rows, columns)


def _read_headers(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment of the main header and those of the tile-parts."""
    position, tile_part_end = 2, None
    for _ in range(_MAX_SEGMENTS):
        if position + 4 > len(stream):
            return
        marker, length = struct.unpack_from(">HH", stream, position)
        if marker == _EOC:
            return
        if marker == _SOD:
            if tile_part_end is None:
                return  # the last tile-part, whose length is not given
            position, tile_part_end = tile_part_end, None
            continue
        content = stream[position + 4 : position + 2 + length]
        if length < 2 or marker < 0xFF00:
            raise _damaged()
        if marker == _SOT:
            if len(content) != 8:
                raise _damaged()
            (part_length,) = struct.unpack_from(">I", content, 2)
            tile_part_end = position + part_length if part_length else None
            if part_length and part_length < 14:
                raise _damaged()
        yield marker, content
        position += 2 + length
    raise HeaderError("is a DICOM file whose JPEG 2000 stream has too many segments")


def _check_coding(content: bytes, is_default: bool, tile: tuple[int, int]) -> None:
    """Refuse a coding style that divides a tile into more parts than any image needs."""
    start = 5 if is_default else 2  # style, progression, layers, transform; or component and style
    if len(content) < start + 5:
        raise _damaged()
    layers = struct.unpack_from(">H", content, 2)[0] if is_default else 1
    has_precincts = content[0 if is_default else 1] & 1
    levels, block_width, block_height = content[start], content[start + 1], content[start + 2]
    sizes = content[start + 5 :] if has_precincts else b"\xff" * (levels + 1)
    if levels > _MAX_LEVELS or len(sizes) < levels + 1 or max(block_width, block_height) > 8:
        raise _damaged()
    blocks, most_precincts = 0, 0
    for level in range(levels + 1):
        precincts, bands = 1, 3 if level else 1
        blocks_of_precinct = 1
        for side, block, exponent in (
            (tile[0], block_width + 2, sizes[level] & 15),
            (tile[1], block_height + 2, sizes[level] >> 4),
        ):
            side = -(-side >> levels - level)
            if level:  # the bands of a higher level have half its size
                side, exponent = -(-side >> 1), max(exponent - 1, 0)
            precincts *= (side >> exponent) + 1
            blocks_of_precinct *= (min(side, 1 << exponent) >> min(block, exponent)) + 1
        blocks += bands * precincts * blocks_of_precinct
        most_precincts = max(most_precincts, precincts)
    if blocks > _MAX_BLOCKS or most_precincts * (levels + 1) * (layers + 1) > _MAX_FLAGS:
        raise HeaderError(
            "is a DICOM file whose JPEG 2000 stream is divided into too many layers or code blocks"
        )


def _open_jp2(stream: bytes) -> tuple[tuple[int, int, int] | None, bytes]:
    """Return (height, width, components) of a JP2 file's image header, and its code stream."""
    image_header = None
    position, end = 0, len(stream)
    for _ in range(_MAX_BOXES):
        if position + 8 > end:
            break
        length, kind = struct.unpack_from(">I4s", stream, position)
        header_length = 8
        if length == 1:
            if position + 16 > end:
                break
            (length,) = struct.unpack_from(">Q", stream, position + 8)
            header_length = 16
        if kind == b"jp2c":
            box_end = position + length if length else end
            return image_header, stream[position + header_length : box_end]
        if kind == b"jp2h":
            length = header_length  # its boxes follow
        elif kind == b"ihdr" and position + header_length + 10 <= end:
            image_header = struct.unpack_from(">IIH", stream, position + header_length)
        if length < header_length:
            break
        position += length
    raise HeaderError("is a DICOM file whose JPEG 2000 stream has no header")


def _damaged() -> HeaderError:
    return HeaderError(
        "is a DICOM file whose pixels cannot be decoded: the JPEG 2000 stream is damaged"
    )
