"""Deflated bytes that grow to mebibytes of zeros."""

import zlib
from collections.abc import Iterable

from tests.support.hostile_files.sizes import MIB


def deflate(parts: Iterable[bytes], zeros: int = 0, window: int = zlib.MAX_WBITS) -> bytes:
    """Return deflated bytes, and mebibytes of zeros after them; with zeros, without a check sum."""
    compressor = zlib.compressobj(1, wbits=window)
    deflated = b"".join(map(compressor.compress, parts))
    if not zeros:
        return deflated + compressor.flush()
    deflated += compressor.flush(zlib.Z_FULL_FLUSH)
    # After a full flush, equal bytes are deflated equally.
    return deflated + zeros * (
        compressor.compress(bytes(MIB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    )
