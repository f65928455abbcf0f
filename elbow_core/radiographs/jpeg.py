"""JPEG streams: their segments, and a decoder that accepts every sound picture and no other."""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import simplejpeg
from jaxtyping import UInt8

from elbow_core.radiographs.header import HeaderError

# All start-of-frame markers; C4, C8 and CC are tables and a reserved code.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset((0xC0, 0xC1))
_LOSSLESS = frozenset((0xC3, 0xC7, 0xCB, 0xCF))
# A marker that begins a segment or the end: neither stuffing, a fill byte nor one without length.
_SEGMENT_START = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
# A marker that ends a scan; FF 00 and restarts belong to it.
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END, _JFIF, _EXIF, _ADOBE = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE
_APPLICATIONS = frozenset(range(0xE0, 0xF0)) | {0xFE}  # and comments
_WHOLE_BLOCK = b"\0\x3f\0"  # first and last coefficient, and bits, of a sequential scan
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_MAX_REPAIRS = 100
_MAX_SCANS = 100  # encoders write some ten; each costs a pass over the picture
_MAX_SCANNED_PIXELS = 2_000_000_000  # 100 megapixels in 20 scans
_MAX_REPAIRED_PIXELS = 500_000_000  # each repair decodes the picture again
_MAX_SEGMENTS = 2**14  # 255 of a colour profile, tables before each scan, and many comments


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker, with its parameters and, for a scan, its image data."""

    marker: int
    content: bytes
    """The parameters, without their length."""
    image_data: bytes | memoryview = b""

    def encode(self) -> tuple[bytes | memoryview, ...]:
        """Return the bytes of the segment, in parts."""
        length = struct.pack(">H", len(self.content) + 2)
        return bytes((0xFF, self.marker)), length, self.content, self.image_data


def read_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments of a JPEG stream up to its end marker.

    Bytes between segments are passed over, as libjpeg does. Raises `HeaderError` if the stream ends
    before its end marker, and beyond a number of segments and of scans that no sound picture has:
    each scan goes over the whole picture.

    Reference: ITU-T T.81, annex B; "Two Issues with the JPEG Standard" of libjpeg-turbo, on scans.
    """
    view = memoryview(data)
    position, scans = 2, 0
    for _ in range(_MAX_SEGMENTS):
        found = _SEGMENT_START.search(data, position)
        if found is None or (data[found.end() - 1] == _END and not scans):
            break
        position, marker = found.start(), data[found.end() - 1]
        if marker == _END:
            return
        if position + 4 > len(data):
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        end = position + 2 + max(length, 2)
        if end > len(data):
            break
        content = data[position + 4 : end]
        image_data: bytes | memoryview = b""
        if marker == _SCAN:
            scans += 1
            if scans > _MAX_SCANS:
                raise HeaderError(f"is a JPEG of more than {_MAX_SCANS} scans")
            after = _SCAN_END.search(data, end)
            if after is None:
                break
            image_data = view[end : after.start()]
            end = after.start()
        yield Segment(marker, content, image_data)
        position = end
    else:
        raise HeaderError(f"is a JPEG of more than {_MAX_SEGMENTS} segments")
    if scans:
        raise HeaderError("is cut short: the end of the JPEG is missing")
    raise HeaderError("is cut short: the JPEG has no image data")


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """The frame of a complete JPEG stream."""

    bits: int
    """Bits per sample."""
    height: int
    width: int
    components: int
    is_lossless: bool
    scans: int
    exif: bytes
    """The TIFF structure of its Exif segment; empty if there is none."""

    @property
    def decoder_bytes(self) -> int:
        """Bytes a pixel that decoding takes at most.

        A picture of several scans is kept as coefficients of 2 bytes until the last one.
        """
        sample = 1 if self.bits == 8 else 2
        coefficients = 2 * self.components if self.scans > 1 else 0
        return coefficients + sample * (4 if self.components == 4 else 1)


def read_jpeg_frame(data: bytes) -> JpegFrame:
    """Return the frame of a complete JPEG stream, lossless included.

    Raises `HeaderError` if it is damaged, its end is missing, or it has two frames.
    """
    return _read_frame(read_segments(data))


def _read_frame(segments: Iterable[Segment]) -> JpegFrame:
    frame, exif, scans = None, b"", 0
    for segment in segments:
        if segment.marker in _FRAMES and len(segment.content) >= 6:
            if frame is not None:
                raise HeaderError("is a damaged JPEG: it has two headers")
            frame = (*struct.unpack_from(">BHHB", segment.content), segment.marker in _LOSSLESS)
        elif segment.marker == _EXIF and segment.content.startswith(b"Exif\0\0") and not exif:
            exif = segment.content[6:]
        elif segment.marker == _SCAN:
            scans += 1
            if frame is None:
                break
    if frame is None:
        raise HeaderError("is a damaged JPEG: it has no header")
    if scans > 1 and frame[1] * frame[2] * scans > _MAX_SCANNED_PIXELS:
        raise HeaderError(
            f"is a JPEG of {frame[2]} x {frame[1]} in {scans} scans, too many for its size"
        )
    return JpegFrame(*frame, scans, exif)


def decode_jpeg(data: bytes) -> UInt8[np.ndarray, "height width channels"]:
    """Decode a JPEG of 8 bits: one channel of luma, or the four of a CMYK image.

    Raises `HeaderError` if image data is missing or wrong. OpenCV only prints what libjpeg warns
    of, and fills the missing part. Of libjpeg's warnings these mean no loss, and are not raised:

    - of application segments (a damaged ICC profile, a JFIF version): they are not decoded;
    - wrong parameters of a sequential scan, which has no choice of them;
    - bytes between segments, and bytes before any marker but a restart: the scan was complete.
    """
    segments = list(read_segments(data))
    stream, frame = _Stream(segments), _read_frame(segments)
    affordable = _MAX_REPAIRED_PIXELS // max(frame.height * frame.width * frame.scans, 1)
    for _ in range(min(_MAX_REPAIRS, max(affordable, 2))):
        encoded = stream.encode()
        try:
            is_cmyk = simplejpeg.decode_jpeg_header(encoded)[2] in ("CMYK", "YCCK")
            return simplejpeg.decode_jpeg(encoded, "CMYK" if is_cmyk else "GRAY", strict=True)
        except ValueError as error:
            found = _EXTRANEOUS.search(str(error))
            if not (found and stream.cut(int(found[1]), int(found[2], 16))):
                message = "is a damaged JPEG: image data is missing or wrong"
                raise HeaderError(message) from error
    raise HeaderError("is a damaged JPEG: it has stray bytes in too many places")


class _Stream:
    """The segments of a JPEG that decide its pixels, with the parameters that they must have."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        self.segments: list[Segment] = []
        self.first_uncut = 0
        is_sequential = False
        for segment in segments:
            content = segment.content
            if segment.marker in _APPLICATIONS and not self._decides_colour(segment):
                continue
            if segment.marker in _FRAMES:
                is_sequential = segment.marker in _SEQUENTIAL
            elif segment.marker == _SCAN and is_sequential:
                content = content[:-3] + _WHOLE_BLOCK
            elif segment.marker == _JFIF:
                content = content[:5] + b"\1" + content[6:]
            self.segments.append(Segment(segment.marker, content, segment.image_data))

    @staticmethod
    def _decides_colour(segment: Segment) -> bool:
        name = {_JFIF: b"JFIF\0", _ADOBE: b"Adobe"}.get(segment.marker)
        return name is not None and segment.content.startswith(name)

    def encode(self) -> bytes:
        """Return the bytes of the stream."""
        parts = chain.from_iterable(map(Segment.encode, self.segments))
        return b"".join((b"\xff\xd8", *parts, b"\xff\xd9"))

    def cut(self, count: int, marker: int) -> bool:
        """Remove the last bytes of the first uncut scan that this marker follows, if one does."""
        following = [*(segment.marker for segment in self.segments[1:]), _END]
        for number in range(self.first_uncut, len(self.segments)):
            segment = self.segments[number]
            if following[number] == marker and 0 < count < len(segment.image_data):
                data = segment.image_data[:-count]
                self.segments[number] = Segment(segment.marker, segment.content, data)
                self.first_uncut = number + 1
                return True
        return False
