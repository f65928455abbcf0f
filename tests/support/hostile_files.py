"""Small files that ask a decoder for much, and the largest files that are read."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import cv2
import imagecodecs
import numpy as np
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from tests.support.dicom_files import RAMP, dicom, table
from tests.support.tiny_images import encode, make_image, png_chunk, png_header

JPEG_BASELINE = UID("1.2.840.10008.1.2.4.50")
SIDE = 10_000
_MIB = 2**20


# PNG


def png(
    width: int,
    height: int,
    colour: int = 0,
    bits: int = 8,
    *,
    before: bytes = b"",
    after: bytes = b"",
    rows: int | None = None,
) -> bytes:
    """Return a PNG of a slope along the rows, with chunks before and after its image data."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\1" + b"\1" * (width * channels * bits // 8)
    data = deflate(row for _ in range(height if rows is None else rows))
    header = png_header(width, height, colour, bits)
    return header + before + png_chunk(b"IDAT", data) + after + png_chunk(b"IEND", b"")


def deflate(parts: Iterable[bytes], zeros: int = 0, window: int = zlib.MAX_WBITS) -> bytes:
    """Return deflated bytes, and mebibytes of zeros after them; with zeros, without a check sum."""
    compressor = zlib.compressobj(1, wbits=window)
    deflated = b"".join(map(compressor.compress, parts))
    if not zeros:
        return deflated + compressor.flush()
    deflated += compressor.flush(zlib.Z_FULL_FLUSH)
    # After a full flush, equal bytes are deflated equally.
    return deflated + zeros * (
        compressor.compress(bytes(_MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    )


def header_chunk(width: int, height: int) -> bytes:
    return png_header(width, height)[8:]


def png_of_two_headers(first: int, second: int) -> bytes:
    return png(first, first, rows=48, after=header_chunk(second, second))


def png_with_text(kind: bytes, start: bytes) -> bytes:
    return png(48, 40, before=png_chunk(kind, start + deflate([], zeros=1024)))


def png_of_much_image_data() -> bytes:
    data = png_chunk(b"IDAT", deflate([], zeros=1024))
    return png_header(48, 40) + data + png_chunk(b"IEND", b"")


# JPEG


def jpeg(side: int = 64, *, progressive: bool = True, colour: bool = False) -> bytes:
    image = make_image(0, side, side)
    image = np.dstack([image, image // 2, image]) if colour else image
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def jpeg_of_scans(count: int, side: int | None = None) -> bytes:
    """Return a progressive JPEG whose last scan is repeated; ``side`` changes its header alone."""
    data = resized(jpeg(), side, side) if side else jpeg()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def resized(data: bytes, height: int, width: int) -> bytes:
    """Return a JPEG with another size in its header."""
    frame = next(data.index(mark) for mark in (b"\xff\xc2", b"\xff\xc0") if mark in data)
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def in_jpeg(part: bytes, count: int) -> bytes:
    """Return a JPEG with many equal parts after its start."""
    data = jpeg(progressive=False)
    return data[:2] + part * count + data[2:]


def jpeg_with_stray_bytes(side: int) -> bytes:
    """Return a JPEG of many scans with stray bytes after each."""
    data = resized(jpeg(), side, side)
    parts = data.split(b"\xff\xda")
    return (b"\0" * 9 + b"\xff\xda").join(parts)


# DICOM


def deflated(added: bytes, zeros: int) -> bytes:
    """Return a deflated DICOM file whose data set is followed by bytes and mebibytes of zeros."""
    whole = dicom()
    start = _start_of_dataset(whole)
    meta = whole[:start].replace(
        _syntax_element(ExplicitVRLittleEndian), _syntax_element(DeflatedExplicitVRLittleEndian)
    )
    meta = meta[:140] + struct.pack("<I", len(meta) - 144) + meta[144:]
    return meta + deflate([whole[start:], added], zeros, -zlib.MAX_WBITS)


def _syntax_element(syntax: UID) -> bytes:
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    return b"\2\0\x10\0UI" + struct.pack("<H", len(value)) + value


def _start_of_dataset(data: bytes) -> int:
    return 144 + struct.unpack_from("<I", data, 140)[0]


def before_rows(elements: bytes) -> bytes:
    """Return a DICOM file with further elements before Rows."""
    data = dicom()
    at = data.index(b"\x28\0\x10\0US")
    return data[:at] + elements + data[at:]


def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sHI", group, number, kind, 0, len(value)) + value


_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
_ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
_SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


def many_parts(kind: bytes, content: bytes, *, outer: bool = False) -> bytes:
    """Return a DICOM file with a million private values of undefined length, or items of one."""
    start = struct.pack("<HH2sHI", 0x0027, 0x1001, kind, 0, 0xFFFFFFFF)
    if outer:
        return before_rows(start + content * 10**6 + _SEQUENCE_END)
    return before_rows((start + content + _SEQUENCE_END) * 10**6)


def nested(depth: int) -> bytes:
    start = struct.pack("<HH2sHI", 0x0028, 0x0005, b"SQ", 0, 0xFFFFFFFF)
    return before_rows((start + _ITEM) * depth)


def nested_of_known_length(depth: int) -> bytes:
    value = b""
    for _ in range(depth):
        value = element(
            0x0028, 0x3010, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value
        )
    data = dicom()
    at = data.index(b"\xe0\x7f\x10\0OW")
    return data[:at] + value + data[at:]


def encapsulated(value: bytes, syntax: UID = JPEG_BASELINE, pixels: np.ndarray = RAMP) -> bytes:
    rows, columns = pixels.shape
    small, bits = np.zeros((1, 1), pixels.dtype), 8 * pixels.itemsize
    return dicom(small, bits, syntax, Rows=rows, Columns=columns, PixelData=value)


def many_fragments(count: int) -> bytes:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0)
    return encapsulated(encapsulate([jpeg()])[:-8] + item * count + b"\xfe\xff\xdd\xe0\0\0\0\0")


def run_length(segments: list[bytes], pixels: np.ndarray = RAMP) -> bytes:
    starts = np.cumsum([64, *map(len, segments)])[:-1].tolist()
    header = struct.pack("<16I", len(segments), *starts, *[0] * (15 - len(segments)))
    return encapsulated(
        encapsulate([header + b"".join(segments)]), RLELossless, pixels.astype(np.uint16)
    )


def jpeg_2000(image: np.ndarray = RAMP, container: str = "j2k") -> bytes:
    options = {"level": 0, "codecformat": container, "reversible": True}
    return bytes(imagecodecs.jpeg2k_encode(image, **options))


def of_jpeg_2000(stream: bytes, pixels: np.ndarray = RAMP) -> bytes:
    return encapsulated(encapsulate([stream]), JPEG2000Lossless, pixels)


def with_size_fields(stream: bytes, **fields: int) -> bytes:
    """Return a JPEG 2000 stream with other fields in its SIZ segment."""
    places = {"width": 8, "height": 12, "tile_width": 24, "tile_height": 28}
    at = stream.index(b"\xff\x4f\xff\x51")
    for name, value in fields.items():
        place = at + places[name]
        stream = stream[:place] + struct.pack(">I", value) + stream[place + 4 :]
    return stream


def with_coding_style(layers: int, block: int, precinct: int) -> bytes:
    """Return a JPEG 2000 stream whose COD segment divides it as finely as this."""
    stream = jpeg_2000(np.tile(RAMP, (20, 20)))
    at = stream.index(b"\xff\x52")
    (length,) = struct.unpack_from(">H", stream, at + 2)
    levels = stream[at + 9]
    coding = bytes([1, 0]) + struct.pack(">H", layers) + bytes([0, levels, block, block, 0, 1])
    coding += bytes([precinct << 4 | precinct]) * (levels + 1)
    segment = b"\xff\x52" + struct.pack(">H", len(coding) + 2) + coding
    return stream[:at] + segment + stream[at + 2 + length :]


def jp2_that_contradicts() -> bytes:
    """Return a JP2 file whose image header gives the size and whose code stream a larger one."""
    return with_size_fields(jpeg_2000(container="jp2"), width=SIDE, height=SIDE)


def jp2_with_decoy() -> bytes:
    """Return a JP2 file with the right code stream header in a box before a larger code stream."""
    stream = jp2_that_contradicts()
    at = stream.index(b"jp2c") - 4
    box = b"free" + jpeg_2000()[:100]
    return stream[:at] + struct.pack(">I", len(box) + 4) + box + stream[at:]


def lookup_table(**fields: bytes) -> bytes:
    item = table(np.arange(4096))
    for name, value in fields.items():
        item[name].value = value
    return dicom(VOILUTSequence=[item])


def many_items(count: int) -> bytes:
    return before_rows(
        element(0x0028, 0x3000, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 0) * count)
    )


BOMBS: dict[str, Callable[[], bytes]] = {
    "png: small header, then a large one": partial(png_of_two_headers, 48, SIDE),
    "png: large header, then a small one": partial(png_of_two_headers, SIDE, 48),
    "png: 10 000 x 10 000 in 16 bits with transparency": partial(png, SIDE, SIDE, 6, 16, rows=9),
    "png: 10 000 x 10 000 with a row of data": partial(png, SIDE, SIDE, rows=1),
    "png: 1 GiB of image data": png_of_much_image_data,
    "png: 1 GiB of zTXt": partial(png_with_text, b"zTXt", b"a\0\0"),
    "png: 1 GiB of iTXt": partial(png_with_text, b"iTXt", b"a\0\1\0\0\0"),
    "png: 1 GiB of iCCP": partial(png_with_text, b"iCCP", b"a\0\0"),
    "png: a million chunks": lambda: png(48, 40, before=png_chunk(b"teXt", b"") * 10**6),
    "png: a million pieces": lambda: png(48, 40, before=png_chunk(b"IDAT", b"") * 10**6),
    "jpeg: 6000 scans": partial(jpeg_of_scans, 6000),
    "jpeg: 100 scans of 10 000 x 10 000": partial(jpeg_of_scans, 90, SIDE),
    "jpeg: a million segments": partial(in_jpeg, b"\xff\xfe\0\2", 10**6),
    "jpeg: 64 MiB of fill bytes": partial(in_jpeg, b"\xff", 64 * _MIB),
    "jpeg: 64 MiB of stuffing": partial(in_jpeg, b"\xff\0", 32 * _MIB),
    "jpeg: two headers": lambda: jpeg()[:-2] + resized(jpeg(), SIDE, SIDE)[2:],
    "jpeg: 10 000 x 10 000 of stray bytes": partial(jpeg_with_stray_bytes, SIDE),
    "dicom: deflated 2 GiB": partial(deflated, b"", 2048),
    "dicom: deflated 2 GiB of no length": partial(
        deflated, struct.pack("<HH2sHI", 0x7FE1, 1, b"OB", 0, 0xFFFFFFFF), 2048
    ),
    "dicom: 64 MiB of zeros behind": lambda: dicom() + bytes(64 * _MIB),
    "dicom: 64 MiB of zeros within": lambda: before_rows(bytes(64 * _MIB)),
    "dicom: a million elements": lambda: before_rows(
        struct.pack("<HH2sH", 0x0027, 1, b"US", 0) * 10**6
    ),
    "dicom: a million items": partial(many_parts, b"SQ", _ITEM + _ITEM_END, outer=True),
    "dicom: a million sequences": partial(many_parts, b"SQ", _ITEM + _ITEM_END),
    "dicom: a million values of no length": partial(many_parts, b"OB", b""),
    "dicom: sequences 10 000 deep": partial(nested, 10_000),
    "dicom: tables 10 000 deep": partial(nested_of_known_length, 10_000),
    "dicom: a table sequence of 100 000 items": partial(many_items, 100_000),
    "dicom: a million fragments": partial(many_fragments, 10**6),
    "dicom: 50 000 fragments": partial(many_fragments, 50_000),
    "dicom: pixels without an end": lambda: (
        encapsulated(encapsulate([jpeg()]))[:-8] + bytes(64 * _MIB)
    ),
    "dicom: an offset table of 64 MiB": lambda: encapsulated(
        struct.pack("<HHI", 0xFFFE, 0xE000, 64 * _MIB)
        + bytes(64 * _MIB)
        + encapsulate([jpeg()])[8:]
    ),
    "dicom: an overlay of 64 MiB": lambda: before_rows(
        element(0x6000, 0x3000, b"OW", bytes(64 * _MIB))
    ),
    "dicom: a table descriptor of 60 000 bytes": lambda: lookup_table(LUTDescriptor=bytes(60_000)),
    "dicom: a table of 64 MiB": lambda: lookup_table(LUTData=bytes(64 * _MIB)),
    "dicom: Rows of 64 MiB": lambda: before_rows(
        struct.pack("<HH2sHI", 0x0028, 0x0010, b"UN", 0, 64 * _MIB) + bytes(64 * _MIB)
    ),
    "dicom: ten million windows": lambda: before_rows(
        element(0x0028, 0x1050, b"UT", b"1\\" * 10**7)
    ),
    "dicom: run length data of no operations": lambda: run_length([b"\x80" * (32 * _MIB)] * 2),
    "dicom: run length data of 2 GiB": lambda: run_length([b"\x81\1" * (8 * _MIB)] * 2),
    "dicom: jpeg of 6000 scans": lambda: encapsulated(
        encapsulate([jpeg_of_scans(6000)]), pixels=np.zeros((64, 64), np.uint8)
    ),
    "dicom: jpeg larger than its header": lambda: encapsulated(
        encapsulate([resized(jpeg(), SIDE, SIDE)]), pixels=np.zeros((64, 64), np.uint8)
    ),
    "dicom: jpeg in four colours": lambda: encapsulated(
        encapsulate([bytes(imagecodecs.jpeg8_encode(np.zeros((64, 64, 4), np.uint8)))]),
        pixels=np.zeros((64, 64), np.uint8),
    ),
    "dicom: jpeg 2000 larger than its header": lambda: of_jpeg_2000(
        with_size_fields(jpeg_2000(), width=SIDE, height=SIDE)
    ),
    "dicom: jpeg 2000 of a million tiles": lambda: of_jpeg_2000(
        with_size_fields(jpeg_2000(np.tile(RAMP, (20, 20))), tile_width=1, tile_height=1),
        np.tile(RAMP, (20, 20)),
    ),
    "dicom: jpeg 2000 of 65 535 layers": lambda: of_jpeg_2000(
        with_coding_style(65_535, 4, 1), np.tile(RAMP, (20, 20))
    ),
    "dicom: jpeg 2000 that contradicts its container": lambda: of_jpeg_2000(jp2_that_contradicts()),
    "dicom: jpeg 2000 behind a decoy": lambda: of_jpeg_2000(jp2_with_decoy()),
}
"""By name; each is refused, or read as the small image that it contains."""


def _large_jpeg(progressive: bool) -> bytes:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[::40] = 200
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def _large_dicom(kind: str) -> bytes:
    words = np.zeros((SIDE, SIDE), np.uint16)
    words[::50] = np.arange(SIDE) % 4096
    fields: dict[str, Any] = {"WindowCenter": 1000, "WindowWidth": 500, "PixelPaddingValue": 7}
    match kind:
        case "native":
            return dicom(words, 12, **fields)
        case "deflated":
            return dicom(words, 12, DeflatedExplicitVRLittleEndian, **fields)
        case "jpeg 2000":
            return of_jpeg_2000(jpeg_2000(words), words)
        case _:
            planes = [(words >> 8).astype(np.uint8), words.astype(np.uint8)]
            segments = [bytes(imagecodecs.packbits_encode(plane)) for plane in planes]
            return run_length([part + b"\0" * (len(part) % 2) for part in segments], words)


LARGEST: dict[str, Callable[[], bytes]] = {
    "png of 8 bits with transparency": partial(png, SIDE, SIDE, 6),
    "png of 16 bits": partial(png, SIDE, SIDE, 0, 16),
    "png of 16 bits in colour": partial(png, SIDE, SIDE, 2, 16),
    "png of 16 bits with transparency, 7000 x 7000": partial(png, 7000, 7000, 6, 16),
    "jpeg in colour": partial(_large_jpeg, progressive=False),
    "progressive jpeg in colour": partial(_large_jpeg, progressive=True),
    "dicom": partial(_large_dicom, "native"),
    "deflated dicom": partial(_large_dicom, "deflated"),
    "dicom by run length": partial(_large_dicom, "run length"),
    "dicom of jpeg 2000": partial(_large_dicom, "jpeg 2000"),
    "dicom of 32 bits, 8000 x 8000": lambda: dicom(
        np.arange(8000 * 8000, dtype=np.uint32).reshape(8000, 8000), 32
    ),
}
"""Sound images of 100 megapixels, or of as many as the limits allow."""


def small_files() -> dict[str, bytes]:
    """Return a small sound file of each kind that is read, to be changed."""
    grey = make_image(0)
    stream = jpeg_2000()
    tables: dict[str, Any] = {
        "ModalityLUTSequence": [table(np.arange(4096))],
        "VOILUTSequence": [table(np.arange(2000))],
    }
    return {
        "png": encode(grey),
        "png of 16 bits": encode(grey.astype(np.uint16) * 250),
        "png with transparency": encode(np.dstack([grey] * 4)),
        "png with text": png(48, 40, before=png_chunk(b"zTXt", b"a\0\0" + deflate([b"b" * 99]))),
        "jpeg": encode(grey, ".jpg"),
        "jpeg in colour": encode(np.dstack([grey, grey // 2, grey]), ".jpg"),
        "progressive jpeg": jpeg(48, colour=True),
        "jpeg of four colours": _cmyk(grey),
        "dicom": dicom(WindowCenter=1000, WindowWidth=500, PixelPaddingValue=0),
        "dicom with tables": dicom(**tables),
        "deflated dicom": dicom(syntax=DeflatedExplicitVRLittleEndian),
        "dicom by run length": dicom(syntax=RLELossless, PhotometricInterpretation="MONOCHROME1"),
        "dicom of lossless jpeg": dicom(RAMP.astype(np.int16), 13, UID("1.2.840.10008.1.2.4.70")),
        "dicom of jpeg": encapsulated(encapsulate([encode(grey, ".jpg")]), pixels=grey),
        "dicom of jpeg 2000": of_jpeg_2000(stream),
        "dicom of jpeg 2000 in a container": of_jpeg_2000(jpeg_2000(container="jp2")),
    }


def _cmyk(grey: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()
