"""Recognise the type of an image file by its content, and read its header."""

from elbow_core.radiographs.header import HeaderError, ImageHeader
from elbow_core.radiographs.jpeg import read_jpeg_frame
from elbow_core.radiographs.orientation import read_orientation
from elbow_core.radiographs.png import PNG_SIGNATURE, read_png_header

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

_PICTURES = tuple(magic for magic, name in _OTHER_TYPES if name in ("GIF", "TIFF", "JPEG 2000"))


def is_dicom(data: bytes) -> bool:
    """Say whether the first 132 bytes are those of a DICOM file.

    Reference: DICOM PS3.10, section 7.1.
    """
    return data[128:132] == _DICOM_MAGIC


def starts_as_picture(data: bytes) -> bool:
    """Say whether a file's first 12 bytes are those of a picture of any common type."""
    return (
        data.startswith((PNG_SIGNATURE, b"\xff\xd8\xff", *_PICTURES))
        or (data.startswith(b"BM") and data[6:10] == bytes(4))
        or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")
    )


def read_header(data: bytes) -> ImageHeader:
    """Return the header of a complete PNG or JPEG file, by content.

    Raises `HeaderError` for anything but one still image of these types, and for a file that is cut
    short: OpenCV fills the missing part of a JPEG with grey and only prints a warning.

    Reference: ISO/IEC 15948 (PNG), ITU-T T.81 annex B (JPEG).
    """
    if data.startswith(PNG_SIGNATURE):
        return read_png_header(data)
    if data.startswith(b"\xff\xd8"):
        frame = read_jpeg_frame(data)
        if frame.bits != 8:
            raise HeaderError(f"is a JPEG of {frame.bits} bits per sample; convert it to PNG")
        return ImageHeader(
            "JPEG",
            frame.height,
            frame.width,
            alpha=False,
            decoder_bytes=frame.decoder_bytes,
            orientation=read_orientation(frame.exif),
        )
    for magic, name in _OTHER_TYPES:
        if data.startswith(magic):
            raise HeaderError(f"is a {name} file; convert it to PNG, JPEG or DICOM")
    raise HeaderError("is not an image: neither PNG, JPEG nor DICOM")
