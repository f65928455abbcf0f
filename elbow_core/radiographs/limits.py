"""What one file may cost: bytes, pixels, and the memory of its decoder.

All three are known from the file's length and one checked header, before anything is decoded. They
add up to less than 1.5 GB for a process.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

from elbow_core.errors import MachineError
from elbow_core.radiographs.header import NOT_OF_THE_FILE, HeaderError, ImageHeader

MAX_FILE_BYTES = 2**28
"""100 megapixels of 16 bits, uncompressed, and some room; a deflated DICOM file counts inflated."""
MAX_PIXELS = 100_000_000
MIN_SIDE = 32
_MAX_DECODER_BYTES = 800_000_000  # 100 megapixels of 8 bits in colour and transparency, twice
_OTHER_BYTES = 2**24


def check_size(header: ImageHeader) -> None:
    """Raise `HeaderError` for an image that is too large or too small to be decoded."""
    size = f"is {header.width} x {header.height}"
    pixels = header.height * header.width
    if pixels > MAX_PIXELS:
        raise HeaderError(f"{size}, more than 100 megapixels")
    if min(header.height, header.width) < MIN_SIDE:
        raise HeaderError(f"{size}, below {MIN_SIDE} pixels a side")
    if pixels * header.decoder_bytes > _MAX_DECODER_BYTES:
        raise HeaderError(
            f"{size}, and decoding takes {header.decoder_bytes} bytes a pixel: more than "
            f"{_MAX_DECODER_BYTES // 10**6} MB"
        )


def require_memory(header: ImageHeader, file_bytes: int) -> None:
    """Raise `MemoryError` unless the process can get what decoding this file takes at most.

    Decoders in other languages report a failed allocation as damage, or not at all.
    """
    pixels = header.height * header.width
    needed = pixels * (header.decoder_bytes + 2) + 2 * file_bytes + _OTHER_BYTES
    try:
        mmap.mmap(-1, needed).close()
    except OSError as error:
        raise MemoryError from error


@contextmanager
def memory_trouble(message: str) -> Iterator[None]:
    """Raise `MachineError` with a message, and what to do, where the block runs out of memory."""
    try:
        yield
    except NOT_OF_THE_FILE as error:
        raise MachineError(f"{message}; use fewer workers, or a machine with more") from error
    except cv2.error as error:
        if error.code != cv2.Error.STS_NO_MEM:
            raise
        raise MachineError(f"{message}; use fewer workers, or a machine with more") from error
