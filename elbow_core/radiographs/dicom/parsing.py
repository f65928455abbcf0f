"""The attributes of a DICOM file that decide its image, read under bounds, and nothing else."""

import io
import logging
import warnings
import zlib
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from elbow_core.radiographs.dicom.values import describe_tag
from elbow_core.radiographs.header import NOT_OF_THE_FILE, HeaderError
from elbow_core.radiographs.limits import MAX_FILE_BYTES

_NUMBERS_AND_TEXTS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleIntercept",
    "RescaleSlope",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
)
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_PIXEL_DATA = 0x7FE00010
_TAGS = [tag_for_keyword(name) or 0 for name in (*_NUMBERS_AND_TEXTS, *_TABLES)]
_PREAMBLE_AND_PREFIX = 132
_MAX_READS = 200_000  # some 60 000 elements, items and fragments; a radiograph has hundreds
_MAX_VALUE_BYTES = 2**14
_MAX_TABLE_BYTES = 2**19  # three tables of 65 536 words
_PIECE = 2**20

# pydicom's messages quote tags, which can identify a patient.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class DicomFile:
    """The attributes of a DICOM file that decide its image."""

    dataset: Dataset
    syntax: UID
    is_little_endian: bool


def parse_dicom(data: bytes, *, with_pixels: bool) -> DicomFile:
    """Read the attributes that decide the image; other values are passed over.

    Nothing after the pixels is read, such as zeros that a storage system adds. Raises `HeaderError`
    for a file that is damaged, inflates to more than `MAX_FILE_BYTES`, or has more elements, items
    and fragments, or a longer value, than any radiograph.

    Reference: DICOM PS3.10 section 7.1, PS3.5 sections 7.1 and A.5.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of values that violate the standard but are not used.
            parsed = _parse(data, with_pixels)
            _check_lengths(parsed.dataset)
            return parsed
    except (HeaderError, *NOT_OF_THE_FILE):
        raise
    except Exception as error:
        raise HeaderError("is a damaged DICOM file: its header cannot be read") from error


def _check_lengths(dataset: Dataset) -> None:
    for limit, names in ((_MAX_VALUE_BYTES, _NUMBERS_AND_TEXTS), (_MAX_TABLE_BYTES, _TABLES)):
        for name in names:
            element = dataset.get_item(name)
            if isinstance(element, RawDataElement) and len(element.value or b"") > limit:
                raise HeaderError(
                    f"is a DICOM file whose {describe_tag(name)} has {len(element.value)} bytes"
                )


def _parse(data: bytes, with_pixels: bool) -> DicomFile:
    file = _CountedReads(data)
    syntax = read_syntax(file)
    if syntax == DeflatedExplicitVRLittleEndian:
        file = _CountedReads(inflate(data, file.tell()))
    is_little_endian = syntax != ExplicitVRBigEndian
    has_pixels = False

    def is_past_the_end(tag: int, *_: object) -> bool:
        nonlocal has_pixels
        if has_pixels or (not with_pixels and tag == _PIXEL_DATA):
            return True
        has_pixels = tag == _PIXEL_DATA
        return False

    dataset = read_dataset(
        file,
        syntax == ImplicitVRLittleEndian,
        is_little_endian,
        stop_when=is_past_the_end,
        specific_tags=[*_TAGS, _PIXEL_DATA],
    )
    return DicomFile(dataset, syntax, is_little_endian)


def read_syntax(file: io.BytesIO | io.BufferedReader) -> UID:
    """Return the transfer syntax; ``file`` is then at the first element of the dataset.

    Raises `HeaderError` for a syntax that is missing, private or unknown.
    """
    file.seek(_PREAMBLE_AND_PREFIX)
    meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = meta.get("TransferSyntaxUID")
    if not syntax:
        raise HeaderError(f"is a DICOM file without {describe_tag('TransferSyntaxUID')}")
    if not isinstance(syntax, UID) or syntax.is_private or not syntax.is_transfer_syntax:
        raise HeaderError(f"is a DICOM file whose {describe_tag('TransferSyntaxUID')} is unknown")
    read_dataset(file, True, True, stop_when=lambda tag, *_: tag >> 16 != 0)  # a command set
    return syntax


class _CountedReads(io.BytesIO):
    """A file in memory that ends the parsing of one with too many parts."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MAX_READS:
            raise HeaderError("is a DICOM file of too many elements, items or fragments")
        return super().read(size)


def inflate(data: bytes, start: int) -> bytes:
    """Return the inflated bytes of a deflated file from ``start``; `HeaderError` if damaged."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces, total = [], 0
    while not inflater.eof:
        compressed = inflater.unconsumed_tail
        if not compressed:
            compressed, start = data[start : start + _PIECE], start + _PIECE
        pieces.append(inflater.decompress(compressed, _PIECE))
        total += len(pieces[-1])
        if total > MAX_FILE_BYTES:
            raise HeaderError(
                f"is a deflated DICOM file of more than {MAX_FILE_BYTES} bytes, too many for a "
                "radiograph"
            )
        if not compressed and not pieces[-1]:
            raise HeaderError("is cut short: the end of the deflated DICOM file is missing")
    return b"".join(pieces)
