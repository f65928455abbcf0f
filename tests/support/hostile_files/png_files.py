"""PNG files with chunks, headers and image data that ask for much."""

from tests.support.hostile_files.deflated import deflate
from tests.support.tiny_images import png_chunk, png_header


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


def png_of_two_headers(first: int, second: int) -> bytes:
    header_chunk = png_header(second, second)[8:]
    return png(first, first, rows=48, after=header_chunk)


def png_with_text(kind: bytes, start: bytes) -> bytes:
    return png(48, 40, before=png_chunk(kind, start + deflate([], zeros=1024)))


def png_of_much_image_data() -> bytes:
    data = png_chunk(b"IDAT", deflate([], zeros=1024))
    return png_header(48, 40) + data + png_chunk(b"IEND", b"")
