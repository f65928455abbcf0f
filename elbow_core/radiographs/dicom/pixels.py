"""Decode the pixels of a DICOM file, and hold them against what its header says."""

import struct
from dataclasses import dataclass
from itertools import islice

import numpy as np
from imagecodecs import Jpeg8Error, PackbitsError, jpeg8_decode, packbits_decode
from jaxtyping import Integer
from openjpeg.utils import decode as decode_jpeg_2000
from pydicom import Dataset
from pydicom.encaps import generate_fragments
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    RLELossless,
)

from elbow_core.radiographs.dicom.jpeg_2000 import CODESTREAM_START, JP2_START, read_jpeg_2000
from elbow_core.radiographs.dicom.parsing import DicomFile
from elbow_core.radiographs.dicom.values import describe_tag, read_integer
from elbow_core.radiographs.header import HeaderError
from elbow_core.radiographs.jpeg import decode_jpeg, read_jpeg_frame

Words = Integer[np.ndarray, "..."]
"""Words of an image, ``[height, width]``, or of a part of it."""

_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
_JPEG_2000 = (JPEG2000, JPEG2000Lossless)
# The first bytes of a frame, by which a fragment that begins another one is recognised.
_FRAME_STARTS = (
    b"\xff\xd8\xff",
    CODESTREAM_START,
    JP2_START,
    *(bytes((segments, 0, 0, 0, 64, 0, 0, 0)) for segments in (1, 2, 4)),
)
_MAX_FRAGMENTS = 2**16  # 256 MiB in fragments of 4 KiB


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The attributes that say together which bits of a word are the pixel.

    Reference: DICOM PS3.5, section 8.1.1; PS3.3 C.7.6.3.
    """

    rows: int
    columns: int
    allocated: int
    """Bits of a word: 8, 16 or 32."""
    stored: int
    """Bits of the pixel, of which the highest is bit ``high`` of the word."""
    high: int
    signed: bool
    """The pixel is in two's complement."""

    @property
    def unused_below(self) -> int:
        """Number of the word's bits below the pixel."""
        return self.high + 1 - self.stored

    @property
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest pixel that the bits can hold."""
        if self.signed:
            return -(1 << self.stored - 1), (1 << self.stored - 1) - 1
        return 0, (1 << self.stored) - 1

    def pixels_of(self, words: Words) -> Words:
        """Return the pixels of unsigned words, without the bits that are not theirs."""
        pixels = words
        if self.stored < self.allocated:
            pixels = (words >> self.unused_below) & ((1 << self.stored) - 1)
        if not self.signed:
            return pixels
        wide = pixels.astype(np.int64 if self.allocated > 16 else np.int32)
        return np.where(wide > self.limits[1], wide - (1 << self.stored), wide)


def read_pixel_format(dataset: Dataset) -> PixelFormat:
    """Return the pixel format of a grey image; raises `HeaderError` where it contradicts itself."""
    samples = read_integer(dataset, "SamplesPerPixel")
    if samples != 1:
        raise HeaderError(
            f"is a DICOM file of grey pixels whose {describe_tag('SamplesPerPixel')} is {samples}"
        )
    allocated = read_integer(dataset, "BitsAllocated")
    stored = read_integer(dataset, "BitsStored")
    high = read_integer(dataset, "HighBit") if "HighBit" in dataset else stored - 1
    representation = read_integer(dataset, "PixelRepresentation")
    if allocated not in (8, 16, 32):
        raise HeaderError(
            f"is a DICOM file whose {describe_tag('BitsAllocated')} is {allocated}, not 8, 16 or 32"
        )
    if not 1 <= stored <= high + 1 <= allocated:
        raise HeaderError(
            f"is a DICOM file that contradicts itself: BitsAllocated {allocated}, "
            f"BitsStored {stored}, HighBit {high}"
        )
    if representation not in (0, 1):
        tag = describe_tag("PixelRepresentation")
        raise HeaderError(f"is a DICOM file whose {tag} is {representation}, neither 0 nor 1")
    return PixelFormat(
        read_integer(dataset, "Rows"),
        read_integer(dataset, "Columns"),
        allocated,
        stored,
        high,
        representation == 1,
    )


def decode_words(file: DicomFile, form: PixelFormat) -> Words:
    """Return the words of the only frame, unsigned: all bits, the pixel's and others.

    Raises `HeaderError` if size, depth or number of frames differ from the header's; of compressed
    pixels, before they are decoded. The dataset loses its Pixel Data, which may be large.
    """
    syntax = file.syntax
    data = file.dataset.get("PixelData")
    if not data:
        raise HeaderError(f"is a DICOM file without {describe_tag('PixelData')}")
    representation = file.dataset["PixelData"].VR
    del file.dataset.PixelData
    if not syntax.is_encapsulated:
        return _native_words(data, file, form, representation)
    if syntax == RLELossless:
        return _run_length_words(_only_frame(data), form)
    if syntax in _JPEG:
        return _jpeg_words(_only_frame(data), form)
    if syntax in _JPEG_2000:
        return _jpeg_2000_words(_only_frame(data), form)
    raise HeaderError(
        f"is a DICOM file compressed as {syntax.name}, which is not supported; save it uncompressed"
    )


def _native_words(data: bytes, file: DicomFile, form: PixelFormat, representation: str) -> Words:
    size = form.allocated // 8
    expected = form.rows * form.columns * size
    if len(data) < expected:
        raise HeaderError(
            f"is a DICOM file whose pixels cannot be decoded: {len(data)} bytes of {expected}"
        )
    # Writers pad to an even length, some to more; a whole row more is another picture.
    if len(data) - expected >= form.columns * size:
        raise HeaderError(
            f"is a DICOM file with {len(data)} bytes of pixels, where its header gives {expected}: "
            "more frames, samples or bits than it says"
        )
    if size == 1 and not file.is_little_endian and representation == "OW":
        data = np.frombuffer(data[: len(data) // 2 * 2], np.uint16).byteswap().tobytes()
    order = "<" if file.is_little_endian else ">"
    words = np.frombuffer(data, f"{order}u{size}", form.rows * form.columns)
    return words.astype(f"u{size}", copy=False).reshape(form.rows, form.columns)


def _only_frame(data: bytes) -> bytes:
    try:
        fragments = list(islice(generate_fragments(data), _MAX_FRAGMENTS + 1))
    except ValueError as error:
        raise HeaderError("is a DICOM file whose fragments of pixels are damaged") from error
    if len(fragments) > _MAX_FRAGMENTS:
        raise HeaderError(f"is a DICOM file with more than {_MAX_FRAGMENTS} fragments of pixels")
    has_offsets = len(fragments) > 1 and not fragments[0].startswith(_FRAME_STARTS)
    fragments = fragments[1:] if has_offsets else fragments
    frames = 1 + sum(fragment.startswith(_FRAME_STARTS) for fragment in fragments[1:])
    if frames > 1:
        raise HeaderError(
            f"is a DICOM file with {frames} frames of pixels, where its header gives one"
        )
    return b"".join(fragments)


def _run_length_words(frame: bytes, form: PixelFormat) -> Words:
    """Decode a frame: one segment for each byte of a word, the highest first.

    Reference: DICOM PS3.5, annex G.
    """
    size, pixels = form.allocated // 8, form.rows * form.columns
    if len(frame) < 64:
        raise HeaderError("is a DICOM file whose run length data have no header")
    count, *starts = struct.unpack_from("<16I", frame)
    if count != size:
        raise HeaderError(
            f"is a DICOM file whose run length data have {count} segments, where its header gives "
            f"BitsAllocated {form.allocated}"
        )
    ends = [*starts[1:count], len(frame)]
    words = np.empty((pixels, size), np.uint8)
    segment = bytearray(pixels + form.columns - 1)  # a whole row more is another picture
    for number, (start, end) in enumerate(zip(starts, ends, strict=False)):
        try:
            decoded = packbits_decode(frame[start:end], out=segment)
        except PackbitsError as error:
            raise HeaderError("is a DICOM file whose run length data are damaged") from error
        if len(decoded) < pixels:
            raise HeaderError(
                f"is a DICOM file whose pixels cannot be decoded: {len(decoded)} bytes of {pixels} "
                "in a segment"
            )
        words[:, size - 1 - number] = np.frombuffer(decoded, np.uint8, pixels)
    return words.view(f"<u{size}").reshape(form.rows, form.columns)


def _jpeg_words(stream: bytes, form: PixelFormat) -> Words:
    frame = read_jpeg_frame(stream)
    _check_size(frame.height, frame.width, form)
    _check_bits(frame.bits, form, "JPEG")
    if frame.components != 1:
        raise HeaderError("is a DICOM file whose JPEG is not grey")
    if frame.bits == 8 and not frame.is_lossless:
        return _checked(decode_jpeg(stream)[:, :, 0], frame.bits, form, "JPEG")
    try:
        levels = jpeg8_decode(stream)
    except Jpeg8Error as error:
        raise HeaderError("is a DICOM file whose JPEG is damaged") from error
    return _checked(levels, frame.bits, form, "JPEG")


def _jpeg_2000_words(data: bytes, form: PixelFormat) -> Words:
    stream = read_jpeg_2000(data)
    _check_size(stream.height, stream.width, form)
    _check_bits(stream.bits, form, "JPEG 2000 stream")
    try:
        levels = decode_jpeg_2000(stream.codestream)
    except RuntimeError as error:
        raise HeaderError(
            "is a DICOM file whose pixels cannot be decoded: the JPEG 2000 stream is damaged"
        ) from error
    return _checked(levels, stream.bits, form, "JPEG 2000 stream")


def _check_size(height: int, width: int, form: PixelFormat) -> None:
    if (height, width) != (form.rows, form.columns):
        raise HeaderError(
            f"is a DICOM file whose pixels are {width} x {height}, but whose header gives "
            f"{form.columns} x {form.rows}"
        )


def _checked(levels: np.ndarray, bits: int, form: PixelFormat, name: str) -> Words:
    """Return decoded levels of ``bits`` bits as unsigned words, if the header agrees."""
    if levels.ndim != 2:
        raise HeaderError(f"is a DICOM file whose {name} is not grey")
    _check_size(levels.shape[0], levels.shape[1], form)
    # A shorter stream can hold the pixel, but neither its sign bit nor a place above the lowest.
    is_short = bits <= form.high and levels.dtype.kind == "u"
    if is_short and (form.signed or form.unused_below):
        raise _contradicting_bits(bits, form, name)
    size = form.allocated // 8
    if levels.dtype.kind == "u":
        return levels.astype(f"u{size}", copy=False)
    return levels.astype(f"i{size}").view(f"u{size}")


def _check_bits(bits: int, form: PixelFormat, name: str) -> None:
    if bits > form.allocated:
        raise _contradicting_bits(bits, form, name)


def _contradicting_bits(bits: int, form: PixelFormat, name: str) -> HeaderError:
    return HeaderError(
        f"is a DICOM file whose {name} has {bits} bits, where its header gives "
        f"BitsAllocated {form.allocated}, BitsStored {form.stored}, HighBit {form.high}"
    )
