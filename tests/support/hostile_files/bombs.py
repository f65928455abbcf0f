"""The small files that ask for much, by name."""

import struct
from collections.abc import Callable
from functools import partial

import imagecodecs
import numpy as np
from pydicom.encaps import encapsulate

from tests.support.dicom_files import RAMP, dicom
from tests.support.hostile_files.dicom_elements import (
    EMPTY_ITEM,
    before_rows,
    deflated_dicom,
    element,
    element_start,
    item_start,
    lookup_table,
    many_items,
    many_parts,
    nested,
    nested_of_known_length,
)
from tests.support.hostile_files.encapsulated_pixels import (
    encapsulated,
    many_fragments,
    of_jpeg,
    of_run_lengths,
)
from tests.support.hostile_files.jpeg_2000_streams import (
    jp2_that_contradicts,
    jp2_with_decoy,
    jpeg_2000,
    of_jpeg_2000,
    with_coding_style,
    with_size_fields,
)
from tests.support.hostile_files.jpeg_files import (
    in_jpeg,
    jpeg,
    jpeg_of_scans,
    jpeg_with_stray_bytes,
    resized,
)
from tests.support.hostile_files.png_files import (
    png,
    png_of_much_image_data,
    png_of_two_headers,
    png_with_text,
)
from tests.support.hostile_files.sizes import MIB, SIDE
from tests.support.tiny_images import png_chunk

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
    "jpeg: 64 MiB of fill bytes": partial(in_jpeg, b"\xff", 64 * MIB),
    "jpeg: 64 MiB of stuffing": partial(in_jpeg, b"\xff\0", 32 * MIB),
    "jpeg: two headers": lambda: jpeg()[:-2] + resized(jpeg(), SIDE, SIDE)[2:],
    "jpeg: 10 000 x 10 000 of stray bytes": partial(jpeg_with_stray_bytes, SIDE),
    "dicom: deflated 2 GiB": partial(deflated_dicom, b"", 2048),
    "dicom: deflated 2 GiB of no length": partial(
        deflated_dicom, element_start(0x7FE1, 1, b"OB"), 2048
    ),
    "dicom: 64 MiB of zeros behind": lambda: dicom() + bytes(64 * MIB),
    "dicom: 64 MiB of zeros within": lambda: before_rows(bytes(64 * MIB)),
    "dicom: a million elements": lambda: before_rows(
        struct.pack("<HH2sH", 0x0027, 1, b"US", 0) * 10**6
    ),
    "dicom: a million items": partial(many_parts, b"SQ", EMPTY_ITEM, outer=True),
    "dicom: a million sequences": partial(many_parts, b"SQ", EMPTY_ITEM),
    "dicom: a million values of no length": partial(many_parts, b"OB", b""),
    "dicom: sequences 10 000 deep": partial(nested, 10_000),
    "dicom: tables 10 000 deep": partial(nested_of_known_length, 10_000),
    "dicom: a table sequence of 100 000 items": partial(many_items, 100_000),
    "dicom: a million fragments": partial(many_fragments, 10**6),
    "dicom: 50 000 fragments": partial(many_fragments, 50_000),
    "dicom: pixels without an end": lambda: (
        encapsulated(encapsulate([jpeg()]))[:-8] + bytes(64 * MIB)
    ),
    "dicom: an offset table of 64 MiB": lambda: encapsulated(
        item_start(64 * MIB) + bytes(64 * MIB) + encapsulate([jpeg()])[8:]
    ),
    "dicom: an overlay of 64 MiB": lambda: before_rows(
        element(0x6000, 0x3000, b"OW", bytes(64 * MIB))
    ),
    "dicom: a table descriptor of 60 000 bytes": lambda: lookup_table(LUTDescriptor=bytes(60_000)),
    "dicom: a table of 64 MiB": lambda: lookup_table(LUTData=bytes(64 * MIB)),
    "dicom: Rows of 64 MiB": lambda: before_rows(element(0x0028, 0x0010, b"UN", bytes(64 * MIB))),
    "dicom: ten million windows": lambda: before_rows(
        element(0x0028, 0x1050, b"UT", b"1\\" * 10**7)
    ),
    "dicom: run length data of no operations": lambda: of_run_lengths([b"\x80" * (32 * MIB)] * 2),
    "dicom: run length data of 2 GiB": lambda: of_run_lengths([b"\x81\1" * (8 * MIB)] * 2),
    "dicom: jpeg of 6000 scans": lambda: of_jpeg(jpeg_of_scans(6000)),
    "dicom: jpeg larger than its header": lambda: of_jpeg(resized(jpeg(), SIDE, SIDE)),
    "dicom: jpeg in four colours": lambda: of_jpeg(
        bytes(imagecodecs.jpeg8_encode(np.zeros((64, 64, 4), np.uint8)))
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
